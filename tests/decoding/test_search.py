"""What all searches share."""

import inspect
import itertools

import pytest
import torch
from decoding.conftest import TableState

from seqlab import decoding
from seqlab.decoding import Beam, Greedy, Sample
from seqlab.decoding.search import top, top_on_device
from seqlab.special_tokens import BOS, EOS


def test_the_largest_values_are_those_of_a_stable_sort():
    generator = torch.Generator().manual_seed(0)
    sizes = itertools.product([1, 2, 5, 11, 1500, 1536, 1599], [1, 2, 5, 20], [3, 30_000])
    for columns, count, different in sizes:
        values = torch.randint(0, different, (50, columns), generator=generator).float().log()  # −∞ among them
        expected = torch.sort(values, dim=1, descending=True, stable=True)
        for largest, indices in (top(values, count), top_on_device(values, min(count, columns))):
            assert torch.equal(largest, expected.values[:, :count])
            assert torch.equal(indices, expected.indices[:, :count])


@pytest.mark.parametrize("search", [Greedy, Beam, Sample])
def test_a_row_gives_the_same_in_any_batch(table, outputs, search):
    toy = table(rows=7, positions=5)
    together = outputs(toy.search(search(max_length=5)))
    assert [outputs(toy.search(search(max_length=5), rows=range(n + 1)))[n] for n in range(7)] == together


@pytest.mark.parametrize("search", [Greedy, Beam, Sample])
def test_nan_logits_do_no_harm(table, search):
    toy = table(rows=2)
    toy.logits[:] = torch.nan
    found = toy.search(search(max_length=4))
    assert found.tokens.shape[:2] == found.lengths.shape == found.scores.shape == (2, 1)


def test_the_exported_names_exist():
    assert not [name for name in decoding.__all__ if inspect.ismodule(getattr(decoding, name))]


@pytest.mark.parametrize("search", [Greedy, Sample])
def test_a_stream_yields_the_tokens_of_the_search(table, outputs, search):
    toy = table(rows=1, positions=6)
    toy.logits[..., EOS] = -torch.inf
    one = search(max_length=6)
    ((found, _),) = outputs(toy.search(one))[0]
    start = torch.full((1,), BOS)
    assert tuple(one.stream(toy.step, TableState(torch.arange(1)), start)) == found
    assert len(found) == 6


def test_a_stream_goes_on_after_the_end(table):
    toy = table(rows=1, positions=5)
    toy.logits[..., EOS] = 99.0
    start = torch.full((1,), BOS)
    streamed = Greedy(max_length=5, min_length=2).stream(toy.step, TableState(torch.arange(1)), start)
    assert [token == EOS for token in streamed] == [False, False, True, True, True]
