"""What a decoder carries from one token to the next.

B rows or sources, R rows that are chosen, or that go on from the sources, N rows of a source at most, S source length,
T queries a row, Q query width, C context width.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqlab.layers.packing import EVERYWHERE, Packing


@dataclasses.dataclass(frozen=True)
class State:
    """Base of every architecture's state: a frozen dataclass whose tensors are all batch-first.

    A field is a tensor, a tuple of such, another State, or None.

    Attributes:
        packing: of the tokens decoded next without the padding on their right. A decoder may give the logits of these
            alone, (N, V), as by `self.output(state.packing.pack(outputs))`, or take no notice and give all.
    """

    packing: Packing = dataclasses.field(default=EVERYWHERE, kw_only=True)

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


@dataclasses.dataclass(frozen=True)
class Sources(State):
    """What a decoder attends to: once a source, however many rows go on from it.

    A beam search repeats, reorders and drops rows at every token, and to copy the encoder's side each time costs as
    much as to attend to it. So a choice of rows changes no more than their places. Only when a quarter of the sources
    have no row left are these dropped.

    Attributes:
        memory: what attention is given of the sources, keys and values; of several layers, a tuple of each.
        mask: where the sources are real.
        each: N, for so many rows each source has places.
        places: of each row, among those of all sources; None where every place is taken, in order.
    """

    memory: Any
    mask: Bool[Tensor, "B S"]
    each: int = 1
    places: Int[Tensor, " R"] | None = None

    def of_layer(self, layer: int) -> Sources:
        """The same, with the memory of one layer."""
        return dataclasses.replace(self, memory=self.memory[layer])

    def ask(self, attend: Callable[..., Tensor], queries: Float[Tensor, "R *T Q"]) -> Float[Tensor, "R *T C"]:
        """The contexts of each row's queries; `attend(queries, keys, values, mask)` gives those of a batch in which the
        sources are the rows.
        """
        if self.each == 1 and self.places is None:
            return attend(queries, *self.memory, self.mask)
        spread = queries
        if self.places is not None:
            room = len(self.mask) * self.each
            spread = queries.new_zeros(room, *queries.shape[1:]).index_copy_(0, self.places, queries)
        contexts = attend(spread.reshape(len(self.mask), -1, queries.size(-1)), *self.memory, self.mask)
        contexts = contexts.reshape(*spread.shape[:-1], -1)
        return contexts if self.places is None else contexts.index_select(0, self.places)

    def select(self, rows: Int[Tensor, " R"]) -> Sources:
        """The sources of these rows."""
        memory, mask = self.memory, self.mask
        owners = (rows if self.places is None else self.places[rows]) // self.each
        counts = owners.bincount(minlength=len(mask))
        kept = counts.nonzero().squeeze(1)
        if len(kept) <= 0.75 * len(mask):
            memory, mask, counts = (_select(value, kept) for value in (memory, mask, counts))
            owners = torch.searchsorted(kept, owners)
        each = int(counts.max())
        order = owners.argsort(stable=True)
        together = owners[order]  # the rows of a source take its places in turn
        every = torch.arange(len(rows), device=rows.device)
        turns = every - (counts.cumsum(0) - counts)[together]
        places = torch.empty_like(owners).index_copy_(0, order, together * each + turns)
        full = len(rows) == len(mask) * each and torch.equal(places, every)
        return Sources(memory, mask, each, None if full else places)
