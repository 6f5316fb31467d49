"""What all searches share."""

import inspect
import itertools

import pytest
import torch
from decoding.conftest import TableState

from seqlab import decoding
from seqlab.decoding import Beam, Greedy, Sample
from seqlab.decoding.search import top, top_on_device
from seqlab.special_tokens import BOS, EOS, UNK


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


@pytest.mark.parametrize("search", [Greedy(max_length=5), Sample(max_length=5, top_k=3)])
def test_the_decisions_of_a_search_make_its_outputs(table, outputs, search):
    toy = table(rows=7, positions=5)
    start = torch.full((7,), BOS)
    written, scores = [[] for _ in range(7)], [0.0] * 7
    for one in search.choices(toy.step, TableState(torch.arange(7)), start):
        for row, token, values in zip(one.rows.tolist(), one.tokens.tolist(), one.log_probabilities, strict=True):
            known = toy.next(row, written[row])
            assert values[EOS:].tolist() == pytest.approx(list(known.values()), abs=1e-5)
            written[row] += [token]
            scores[row] += known[token]
    for row, ((found, score),) in enumerate(outputs(toy.search(search))):
        assert tuple(token for token in written[row] if token != EOS) == found
        assert scores[row] == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize("search", [Greedy(max_length=5), Sample(max_length=5)])
def test_a_search_goes_on_from_forced_tokens_as_if_it_had_chosen_them(table, search):
    toy = table(rows=1, positions=5)
    start = torch.full((1,), BOS)

    def written(forced):
        choices = search.choices(toy.step, TableState(torch.arange(1)), start, forced, ends=False)
        return [int(one.tokens) for one in choices]

    free = written(())
    for count in range(6):
        assert written(free[:count]) == free
    other = next(token for token in range(UNK, toy.size) if token != free[0])
    assert written([other])[0] == other
    assert written([other, free[1]])[:2] == [other, free[1]]


def test_choices_that_nobody_asks_for_are_not_made(table):
    toy = table(rows=2)
    choices = Greedy(max_length=4).choices(toy.step, TableState(torch.arange(2)), torch.full((2,), BOS))
    assert next(choices).position == 0
    choices.close()
    assert toy.step_sizes == [2]
