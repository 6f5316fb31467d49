"""Selecting rows of a state, however it is nested."""

from dataclasses import dataclass

import torch

from seqlab.layers.state import State


@dataclass(frozen=True)
class Inner(State):
    cache: torch.Tensor


@dataclass(frozen=True)
class Outer(State):
    hidden: tuple[torch.Tensor, ...]
    inner: Inner
    nothing: torch.Tensor | None


def test_select_reaches_every_tensor():
    tensors = [torch.arange(3 * n).reshape(3, n) for n in (1, 2, 5)]
    state = Outer((tensors[0], tensors[1]), Inner(tensors[2]), None)
    rows = torch.tensor([2, 2, 0, 1])
    chosen = state.select(rows)
    assert torch.equal(chosen.hidden[0], tensors[0][rows])
    assert torch.equal(chosen.hidden[1], tensors[1][rows])
    assert torch.equal(chosen.inner.cache, tensors[2][rows])
    assert chosen.nothing is None
