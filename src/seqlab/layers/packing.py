"""Skips padding in computations that are done separately for each position.

B rows, T positions per row, N real positions of all rows.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

WORTH = 1 / 8
"""Share of padding above which skipping it saves more than it costs."""


def values_at_hand(tensor: Tensor) -> bool:
    """Whether looking at a tensor's values costs nothing. On a GPU its host would have to wait until they are computed,
    and a captured training step cannot look at any.
    """
    return tensor.device.type == "cpu"


class Packing(NamedTuple):
    """The positions that are not padding, so that a linear layer, for example, can be applied to these only.

    This helps on CPUs only: counting the real positions would make a GPU wait for its host at every batch, and a
    compiled model would be recompiled for each count. On a GPU, in a compiled model, and with little padding, `pack`
    and `unpack` return their input unchanged.

    Attributes:
        indices: the real positions, row after row; None means that nothing is skipped.
        shape: B, T.
    """

    indices: Int[Tensor, " N"] | None = None
    shape: tuple[int, ...] = ()

    @classmethod
    def of(cls, real: Bool[Tensor, "B T"]) -> Packing:
        """The packing of the positions where `real` is true."""
        if not values_at_hand(real) or torch.compiler.is_compiling():
            return EVERYWHERE
        indices = real.flatten().nonzero().squeeze(1)
        return cls(indices, tuple(real.shape)) if len(indices) <= (1 - WORTH) * real.numel() else EVERYWHERE

    def lengths(self) -> Int[Tensor, " B"] | None:
        """The number of real positions in each row (None: nothing is skipped)."""
        if self.indices is None:
            return None
        rows, steps = self.shape
        return (self.indices // steps).bincount(minlength=rows)

    def pack(self, values: Shaped[Tensor, "B T *D"]) -> Shaped[Tensor, "*P"]:
        """The values at real positions, (N, *D)."""
        return values if self.indices is None else values.flatten(0, 1).index_select(0, self.indices)

    def of_rows(self, values: Float[Tensor, "B D"]) -> Float[Tensor, "*P D"]:
        """The value of each row, repeated for its real positions: (N, D), or (B, 1, D) if nothing is skipped."""
        return values[:, None] if self.indices is None else values.index_select(0, self.indices // self.shape[1])

    def unpack(self, values: Float[Tensor, "*P D"]) -> Float[Tensor, "B T *D"]:
        """Values (N, *D) put back at their positions, with zeros at padding."""
        if self.indices is None:
            return values
        rows, steps = self.shape
        empty = values.new_zeros(rows * steps, *values.shape[1:])
        return empty.index_copy(0, self.indices, values).unflatten(0, (rows, steps))


EVERYWHERE = Packing()
"""Skips nothing."""
