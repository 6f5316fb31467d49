"""The state that a decoder carries from one token to the next.

B rows or sources, R rows that are selected, or that decode from the sources, N slots (maximal number of rows) per
source, S source length, T queries per row, Q query width, C context width.
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

    A field is a tensor, a tuple of fields, another State, or None.

    Attributes:
        packing: the real positions of the tokens to decode next. A decoder may return logits of these only, (N, V), as
            `self.output(state.packing.pack(outputs))` does, or ignore it and return logits of all positions.
    """

    packing: Packing = dataclasses.field(default=EVERYWHERE, kw_only=True)

    def select(self, rows: Int[Tensor, " R"]) -> State:
        """The state of these rows, in this order; a row may appear several times (beams) or not at all (finished)."""
        fields = {field.name: _select(getattr(self, field.name), rows) for field in dataclasses.fields(self)}
        return dataclasses.replace(self, **fields)


def _select(value: Any, rows: Tensor) -> Any:
    if isinstance(value, Packing):
        return EVERYWHERE  # the packing was for tokens that are decoded by now
    if isinstance(value, State):
        return value.select(rows)
    if isinstance(value, tuple):
        return tuple(_select(item, rows) for item in value)
    return value if value is None else torch.index_select(value, 0, rows)


@dataclasses.dataclass(frozen=True)
class Sources(State):
    """The encoder's side, which a decoder attends to: kept once per source, however many rows decode from it.

    A beam search repeats, reorders and drops rows at every token, and copying the encoder's side each time would cost
    as much as attending to it. So each source has N slots, and selecting rows changes only which slot a row is in.
    Sources without any row are dropped only when they are at least a quarter of all.

    Attributes:
        memory: the arguments of attention, keys and values; for several layers, a tuple of them.
        mask: True where the sources are real.
        slots_per_source: N.
        slots: the slot of each row, counted over all sources; None if row i is in slot i and all slots are taken.
    """

    memory: Any
    mask: Bool[Tensor, "B S"]
    slots_per_source: int = 1
    slots: Int[Tensor, " R"] | None = None

    def of_layer(self, layer: int) -> Sources:
        """The same sources, with the memory of one layer."""
        return dataclasses.replace(self, memory=self.memory[layer])

    def attend(self, attention: Callable[..., Tensor], queries: Float[Tensor, "R *T Q"]) -> Float[Tensor, "R *T C"]:
        """The contexts of each row's queries.

        `attention(queries, keys, values, mask)` is called with one row per source, whose queries are those of all its
        slots.
        """
        if self.slots_per_source == 1 and self.slots is None:
            return attention(queries, *self.memory, self.mask)
        spread = queries
        if self.slots is not None:
            count = len(self.mask) * self.slots_per_source
            spread = queries.new_zeros(count, *queries.shape[1:]).index_copy_(0, self.slots, queries)
        contexts = attention(spread.reshape(len(self.mask), -1, queries.size(-1)), *self.memory, self.mask)
        contexts = contexts.reshape(*spread.shape[:-1], -1)
        return contexts if self.slots is None else contexts.index_select(0, self.slots)

    def select(self, rows: Int[Tensor, " R"]) -> Sources:
        """The sources of these rows."""
        memory, mask = self.memory, self.mask
        owners = (rows if self.slots is None else self.slots[rows]) // self.slots_per_source
        counts = owners.bincount(minlength=len(mask))
        kept = counts.nonzero().squeeze(1)
        if len(kept) <= 0.75 * len(mask):
            memory, mask, counts = (_select(value, kept) for value in (memory, mask, counts))
            owners = torch.searchsorted(kept, owners)
        slots_per_source = int(counts.max())
        order = owners.argsort(stable=True)
        grouped = owners[order]  # the rows of a source take its slots one after another
        indices = torch.arange(len(rows), device=rows.device)
        ranks = indices - (counts.cumsum(0) - counts)[grouped]
        slots = torch.empty_like(owners).index_copy_(0, order, grouped * slots_per_source + ranks)
        full = len(rows) == len(mask) * slots_per_source and torch.equal(slots, indices)
        return Sources(memory, mask, slots_per_source, None if full else slots)
