"""What a decoder carries from one token to the next.

B rows, D width.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from seqlab.layers.packing import EVERYWHERE, Packing


@dataclasses.dataclass(frozen=True)
class State:
    """Base of every architecture's state: a frozen dataclass whose tensors are all batch-first.

    A field is a tensor, a tuple of such, another State, or None.

    Attributes:
        wanted: where logits are asked of the tokens decoded next. A decoder may pack what it computes (`Packing`), its
            logits last, or take no notice.
    """

    wanted: Packing = dataclasses.field(default=EVERYWHERE, kw_only=True)

    def select(self, rows: Int[Tensor, " R"]) -> State:
        """The state of these rows, in this order; a row may stand several times (beams) or not at all (finished)."""
        fields = {field.name: _select(getattr(self, field.name), rows) for field in dataclasses.fields(self)}
        return dataclasses.replace(self, **fields)


def _select(value: Any, rows: Tensor) -> Any:
    if isinstance(value, Packing):
        return EVERYWHERE  # of tokens decoded together, which are behind
    if isinstance(value, State):
        return value.select(rows)
    if isinstance(value, tuple):
        return tuple(_select(item, rows) for item in value)
    return value if value is None else torch.index_select(value, 0, rows)
