"""What recurrent mixers of a block have in common: a state of fixed size in place of the keys and values of attention.

B batch, T positions, D width, N channels or heads, R rows that are selected. "*P" is B and T, or the N real positions
after packing (`Packing`).
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqlab.layers.packing import EVERYWHERE, Packing
from seqlab.layers.state import State


@dataclass(frozen=True)
class MixerState(State):
    """What a recurrent mixer knows of the positions it has read, at least in single precision.

    Attributes:
        count: the number of positions read, padding excluded.
        hidden: the recurrence after the last of them.
    """

    count: Int[Tensor, " B"]
    hidden: Float[Tensor, "B N *K"]

    def positions(self, new: int) -> Int[Tensor, "B T"]:
        """The positions of the next `new` tokens of each row."""
        return self.count[:, None] + torch.arange(new, device=self.count.device)


class RecurrentMixer(nn.Module):
    """Base of the mixers that read position after position: an input projection, a recurrence, an output projection.

    A decoder's is causal. An encoder's reads in both directions with the same parameters: half of the channels or heads
    forward, the other half backward, and the output projection mixes the halves, as it mixes the heads of attention.
    (One mixer each way, added, would have twice the parameters of attention; halves keep the comparison fair.) Either
    way padding leaves the state exactly as it is.

    Args:
        width: D.
        projected: width of the input projection.
        mixed: width of what the output projection reads.
        recurrence: called with the parts and the hidden state, it returns the outputs (B, T, N, …) and the hidden state
            after the last position.
        causal: no position depends on a later one.
    """

    def __init__(self, width: int, projected: int, mixed: int, recurrence: nn.Module, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.inputs = nn.Linear(width, projected)  # all projections in one product
        self.core = recurrence
        self.output = nn.Linear(mixed, width)

    @abstractmethod
    def start(self, rows: int, like: Tensor) -> Float[Tensor, "B N *K"]:
        """The hidden state of so many rows before the first position; dtype and device are those of `like`."""

    @abstractmethod
    def parts(self, projected: Float[Tensor, "B T _"], padding: Bool[Tensor, "B T 1"] | None) -> tuple[Tensor, ...]:
        """What the recurrence reads, (B, T, N, …) each, at least in single precision; at `padding` (None: nowhere) such
        that it leaves the state as it is.
        """

    @abstractmethod
    def finished(self, mixed: Tensor, projected: Float[Tensor, "B T _"]) -> Float[Tensor, "B T _"]:
        """What the output projection reads, from the recurrence's outputs."""

    def to_itself(
        self,
        inputs: Float[Tensor, "*P D"],
        positions: Int[Tensor, "*B T"],
        mask: Bool[Tensor, "B T"] | None = None,
        earlier: MixerState | None = None,
        packing: Packing = EVERYWHERE,
    ) -> tuple[Float[Tensor, "*P D"], MixerState]:
        """The outputs, from `inputs` and what was read `earlier`; and the state after them, which only a causal mixer
        can go on from.

        `mask` is False where `inputs` are padding (None: nowhere, or only where nothing follows). `positions` are not
        needed: a recurrence knows the order.
        """
        projected = packing.unpack(self.inputs(inputs))
        rows, steps = projected.shape[:2]
        parts = self.parts(projected, None if mask is None else ~mask[..., None])
        hidden = self.start(rows, parts[0]) if earlier is None else earlier.hidden
        with _without_autocast(projected.device.type):
            if self.causal:
                mixed, hidden = self.core(*parts, hidden)
            else:
                mixed, hidden = self.core(*map(_second_half_reversed, parts), hidden)
                mixed = _second_half_reversed(mixed)
        outputs = self.output(packing.pack(self.finished(mixed.to(projected.dtype), projected)))
        count = projected.new_zeros(rows, dtype=torch.long) if earlier is None else earlier.count
        return outputs, MixerState(count + (steps if mask is None else mask.sum(dim=1)), hidden)


def at_least_single(values: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The same values in single precision, if they are in half."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def initialise(mixer: RecurrentMixer, widths: list[int]) -> None:
    """Draws the projections as those of attention: Glorot & Bengio (2010) for each of the input projections, which have
    these `widths`; biases zero.
    """
    for weight in (*mixer.inputs.weight.split(widths), mixer.output.weight):
        nn.init.xavier_uniform_(weight)
    for linear in (mixer.inputs, mixer.output):
        nn.init.zeros_(linear.bias)


def _without_autocast(kind: str) -> AbstractContextManager[Any]:
    """Keeps products out of half precision: a state that many positions add to needs more digits. On the device "meta"
    there is no autocast, and entering one that changes nothing takes time at every token.
    """
    if kind == "meta" or not torch.is_autocast_enabled(kind):
        return nullcontext()
    return torch.autocast(kind, enabled=False)


def _second_half_reversed(values: Any) -> Any:
    """(B, T, N, …) with the second half of N in reverse order of T."""
    forward, backward = values.chunk(2, dim=2)
    return torch.cat([forward, backward.flip(1)], dim=2)
