"""Selecting rows of a state, however it is nested, and attending to sources that rows share."""

from dataclasses import dataclass

import pytest
import torch

from seqlab.layers.packing import EVERYWHERE, Packing
from seqlab.layers.state import Sources, State


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


def test_select_resets_the_packing():
    real = torch.tensor([[True, False], [True, False]])
    state = Outer((), Inner(torch.ones(2, 3)), None, packing=Packing.of(real))
    assert state.packing is not EVERYWHERE
    assert state.select(torch.tensor([1])).packing is EVERYWHERE


CHOICES = {
    "in order": [[0, 1, 2, 3, 4]],
    "another order": [[4, 2, 0, 1, 3]],
    "repeated alike": [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [1, 0, 3, 2, 4, 5, 9, 9, 8, 7]],
    "repeated unlike": [[2, 0, 2, 1, 2, 4, 3], [6, 5, 4, 4, 3, 0], [1, 1, 1]],
    "fewer by and by": [[0, 1, 3, 4], [0, 1, 2], [2, 1], [1]],
    "fewer, and more of them": [[3, 3, 1], [2, 1, 1, 0, 2], [4, 0]],
}


def attend(queries, first, second, mask):
    asked = queries if queries.dim() == 3 else queries[:, None]
    found = asked @ (second[0] - first).transpose(1, 2) * mask[:, None]
    return found if queries.dim() == 3 else found[:, 0]


@pytest.mark.parametrize("steps", [(), (2,)])
@pytest.mark.parametrize("choices", CHOICES.values(), ids=list(CHOICES))
def test_attending_to_sources_equals_a_copy_for_each_row(choices, steps):
    memory, mask = torch.randn(5, 3, 7), torch.rand(5, 3) > 0.5
    sources, own = Sources((memory, (2 * memory,)), mask), torch.arange(5)
    for choice in map(torch.tensor, choices):
        sources, own = sources.select(choice), own[choice]
        queries = torch.randn(len(own), *steps, 7)
        asked = queries if steps else queries[:, None]
        expected = (asked @ memory[own].transpose(1, 2) * mask[own][:, None]).reshape(len(own), *steps, 3)

        torch.testing.assert_close(sources.attend(attend, queries), expected)


def test_sources_are_kept_until_a_quarter_of_them_have_no_row_left():
    sources = Sources(torch.randn(8, 3), torch.ones(8, 3, dtype=torch.bool))
    most = sources.select(torch.tensor([7, 0, 1, 2, 4, 5, 6]))
    assert most.memory is sources.memory
    fewer = most.select(torch.tensor([6, 5, 0, 0, 1, 3]))  # of sources 6, 5, 7, 7, 0, 2
    assert torch.equal(fewer.memory, sources.memory[[0, 2, 5, 6, 7]])
    assert (len(fewer.mask), fewer.slots_per_source) == (5, 2)
