"""Leaving padding out of what is done position by position.

B rows, T positions a row, N real positions of all rows.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

WORTH = 1 / 8
"""Share of padding from which on leaving it out costs less than it saves."""


class Packing(NamedTuple):
    """Where rows are real, so that a linear layer, say, need not be applied to padding.

    Only processors gain by it: counting the real positions would have an accelerator wait for its host at every batch,
    and a compiled model would be compiled for each count. There, and where hardly anything is padding, both ways leave
    their input as it is.

    Attributes:
        indices: of the real positions, row after row; None: everything is taken for real.
        shape: B, T.
    """

    indices: Int[Tensor, " N"] | None = None
    shape: tuple[int, ...] = ()

    @classmethod
    def of(cls, real: Bool[Tensor, "B T"]) -> Packing:
        """The packing of the positions where `real` is true."""
        if real.device.type != "cpu" or torch.compiler.is_compiling():
            return EVERYWHERE
        places = real.flatten().nonzero().squeeze(1)
        return cls(places, tuple(real.shape)) if len(places) <= (1 - WORTH) * real.numel() else EVERYWHERE

    def lengths(self) -> Int[Tensor, " B"] | None:
        """How many positions of each row are real (None: all)."""
        if self.indices is None:
            return None
        rows, steps = self.shape
        return (self.indices // steps).bincount(minlength=rows)

    def pack(self, values: Shaped[Tensor, "B T *D"]) -> Shaped[Tensor, "*P"]:
        """The values at real positions, (N, *D)."""
        return values if self.indices is None else values.flatten(0, 1).index_select(0, self.indices)

    def of_rows(self, values: Float[Tensor, "B D"]) -> Float[Tensor, "*P D"]:
        """The values of each row at its real positions, (N, D), or, with nothing left out, (B, 1, D)."""
        return values[:, None] if self.indices is None else values.index_select(0, self.indices // self.shape[1])

    def unpack(self, values: Float[Tensor, "*P D"]) -> Float[Tensor, "B T *D"]:
        """Values (N, *D) where they belong, with zeros at padding."""
        if self.indices is None:
            return values
        rows, steps = self.shape
        empty = values.new_zeros(rows * steps, *values.shape[1:])
        return empty.index_copy(0, self.indices, values).unflatten(0, (rows, steps))


EVERYWHERE = Packing()
"""Nothing is left out."""
