"""Beam search against exhaustive enumeration and against a textbook loop that never stops early."""

import pytest
import torch
from decoding.conftest import TableState
from torch.nn import functional as F

from seqlab.decoding import Beam, Greedy
from seqlab.decoding.beam import Finished, block_repeats, block_repeats_on_device
from seqlab.special_tokens import BOS, EOS, PAD, UNK

WIDE = 4**4
"""Above the number of prefixes of any length here."""


def rank(alpha, output):
    _, score, length = output
    return score / ((5 + length) / 6) ** alpha


def repeats(tokens, size):
    grams = [tokens[start : start + size] for start in range(len(tokens) - size + 1)]
    return size > 0 and len(set(grams)) < len(grams)


def textbook(table, row, max_length, size, alpha, min_length=0, blocked=0):
    """Beam search as a textbook writes it: hypothesis by hypothesis, until no hypothesis is unfinished."""
    live, finished = [((), 0.0)], []
    for position in range(max_length):
        candidates = [
            (prefix, token, score + log_probability)
            for prefix, score in live
            for token, log_probability in table.next(row, prefix).items()
            if not (token == EOS and position < min_length)
            and not (token != EOS and repeats((*prefix, token), blocked))
        ]
        kept = sorted(candidates, key=lambda one: -one[2])[:size]  # stable: of equal ones the first
        finished += [(prefix, score, position + 1) for prefix, token, score in kept if token == EOS]
        live = [((*prefix, token), score) for prefix, token, score in kept if token != EOS]
    finished += [(tokens, score, max_length) for tokens, score in live]
    return sorted(finished, key=lambda one: -rank(alpha, one))


def assert_outputs(found, expected):
    """The outputs are those expected, in this order, with these scores."""
    for own, wanted in zip(found, expected, strict=True):
        assert [tokens for tokens, _ in own] == [tokens for tokens, *_ in wanted]
        assert [score for _, score in own] == pytest.approx([score for _, score, _ in wanted], abs=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 4.0])
@pytest.mark.parametrize(
    ("max_length", "min_length", "blocked"), [(4, 0, 0), (4, 2, 0), (4, 0, 1), (4, 1, 2), (1, 0, 0), (3, 3, 0)]
)
@pytest.mark.parametrize("n_best", [1, 2, 7, WIDE])
def test_a_beam_of_full_width_finds_the_best_of_all_outputs(
    table, outputs, alpha, max_length, min_length, blocked, n_best
):
    toy = table(symbols=4, seed=int(10 * alpha) + max_length)
    settings = {"length_penalty": alpha, "min_length": min_length, "block_repeats": blocked}
    found = outputs(toy.search(Beam(max_length=max_length, size=WIDE, n_best=n_best, **settings)))
    expected = [
        sorted(
            (one for one in toy.every_output(row, max_length, min_length) if not repeats(one[0], blocked)),
            key=lambda one: -rank(alpha, one),
        )
        for row in range(3)
    ]
    assert_outputs(found, [own[:n_best] for own in expected])


@pytest.mark.parametrize(("size", "n_best"), [(1, 1), (2, 1), (3, 3), (5, 2)])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 3.0])
@pytest.mark.parametrize(("min_length", "blocked"), [(0, 0), (2, 2)])
def test_leaving_early_changes_no_result(table, outputs, size, n_best, alpha, min_length, blocked):
    for seed in range(20):
        toy = table(rows=5, positions=6, symbols=4, seed=seed, scale=1.0 + seed % 3)
        search = Beam(
            max_length=6, size=size, n_best=n_best, length_penalty=alpha, min_length=min_length, block_repeats=blocked
        )
        expected = [textbook(toy, row, 6, size, alpha, min_length, blocked)[:n_best] for row in range(5)]
        assert_outputs(outputs(toy.search(search)), expected)


def test_the_first_outputs_to_finish_need_not_be_the_best(table, outputs):
    toy = table(rows=1, positions=3)
    toy.logits[:] = -20.0
    toy.logits[:, 0, BOS, [EOS, 3, 4]] = torch.tensor([0.2, 0.1, 0.0])
    toy.logits[:, 1, 3, EOS] = toy.logits[:, 1, 4, 5] = toy.logits[:, 2, 5, EOS] = 0.0

    def best(alpha):
        found = toy.search(Beam(max_length=3, size=3, n_best=1, length_penalty=alpha))
        return outputs(found)[0][0][0], len(toy.step_sizes)

    assert best(0.0) == ((), 1)  # nothing else can be as probable any more
    assert best(1.0) == ((4, 5), 3)  # long after two have finished


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_is_greedy(table, seed):
    toy = table(rows=7, positions=9, symbols=5, seed=seed)
    greedy, beam = toy.search(Greedy(max_length=9)), toy.search(Beam(max_length=9, size=1, length_penalty=2.0))
    assert all(torch.equal(*values) for values in zip(beam, greedy, strict=True))


def test_in_a_tie_the_better_hypothesis_and_the_lower_token_come_first(table, outputs):
    toy = table(rows=2, positions=2)
    toy.logits[:] = 0.0
    toy.logits[..., EOS] = -9.0
    for size, expected in [(1, [(3, 3)]), (2, [(3, 3), (3, 4)]), (4, [(3, 3), (3, 4), (3, 5), (4, 3)])]:
        found = outputs(toy.search(Beam(max_length=2, size=size, n_best=size)))
        assert [[tokens for tokens, _ in own] for own in found] == [expected] * 2


def test_no_output_appears_twice(table, outputs):
    toy = table(rows=4, positions=5, symbols=4)
    for own in outputs(toy.search(Beam(max_length=5, size=8, n_best=8))):
        assert len({tokens for tokens, _ in own}) == 8


def test_finished_rows_and_hopeless_hypotheses_leave_the_batch(table):
    toy = table(rows=3, positions=9)
    toy.logits[:] = 0.0
    toy.logits[..., EOS] = -9.0
    for row, length in enumerate([0, 2, 8]):  # each row says 3 so often, and then EOS
        toy.logits[row, :length, :, 3] = toy.logits[row, length:, :, EOS] = 9.0
    found = toy.search(Beam(max_length=9, size=2, n_best=1, length_penalty=0.0))
    assert found.lengths.tolist() == [[0], [2], [8]]
    assert toy.step_sizes == [3, 4, 4, *[2] * 6]


def test_outputs_that_do_not_exist_are_empty_and_come_last(table, outputs):
    toy = table(rows=2, positions=1)
    found = toy.search(Beam(max_length=1, size=9, n_best=9))
    assert [len(own) for own in outputs(found)] == [4, 4]  # EOS, UNK and two symbols
    assert found.scores[:, 4:].eq(-torch.inf).all()
    assert found.tokens[:, 4:].eq(PAD).all()
    assert found.lengths[:, 4:].eq(0).all()


def test_a_row_without_any_output_is_empty(table):
    found = table(positions=5).search(Beam(max_length=5, min_length=5, size=3, block_repeats=1))
    assert (found.lengths.tolist(), found.scores.tolist()) == ([[0]] * 3, [[-torch.inf]] * 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "size must be at least 1, but is 0"),
        ({"n_best": 0}, "n_best must be at least 1, but is 0"),
        ({"size": 3, "n_best": 4}, r"n_best must be at most size \(3\), but is 4"),
        ({"length_penalty": -0.1}, "length_penalty must be 0 to 10, but is -0.1"),
        ({"length_penalty": float("nan")}, "length_penalty must be 0 to 10, but is nan"),
        ({"block_repeats": -1}, "block_repeats must be at least 0, but is -1"),
        ({"min_length": 8}, r"min_length must be 0 to max_length \(7\), but is 8"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Beam(max_length=7, **settings)


@pytest.mark.parametrize(
    ("tokens", "size", "expected"),
    [
        ([4, 5, 6, 4, 8, 4, 5], 3, {6}),  # 4 8 and 8 4 begin no trigram that ends with 4 5
        ([4, 5, 6, 4, 5, 7, 4, 5], 3, {6, 7}),
        ([4, 5, 6, 4, 8, 4, 5], 2, {6}),
        ([4, 5, 6, 7, 5, 6], 4, set()),
        ([4, 5, 6, 7, 4, 5, 6], 4, {7}),
        ([4, 5], 3, set()),
    ],
)
def test_tokens_that_would_repeat_an_ngram_are_blocked(tokens, size, expected):
    both = torch.tensor([tokens, list(range(20, 20 + len(tokens)))])
    log_probabilities, on_device = torch.zeros(2, 2, 30)
    block_repeats(log_probabilities, both, size)
    assert set(log_probabilities[0].isneginf().nonzero()[:, 0].tolist()) == expected
    assert not log_probabilities[1].any()
    for room in range(3):
        block_repeats_on_device(on_device, F.pad(both, (0, room)), torch.tensor([len(tokens)]), size)
        assert torch.equal(on_device, log_probabilities)


def test_the_expansions_of_a_search_lead_from_one_to_the_next(table, outputs):
    toy, beam = table(rows=2, positions=5), Beam(max_length=5, size=3, n_best=2)
    start = torch.full((2,), BOS)
    finished, before, ends = Finished(start, 2, 5), None, 0
    for position, one in enumerate(beam.expansions(toy.step, TableState(torch.arange(2)), start, finished)):
        assert one.live.tokens.size(1) == position and not (one.ended & one.going).any()
        if before is not None:
            going = before.candidates.tokens[before.going]
            assert one.live.tokens[:, -1].tolist() == going.tolist()
            assert one.live.scores.tolist() == before.candidates.scores[before.going].tolist()
        before, ends = one, ends + int(one.ended.sum())
    assert not before.going.any() and ends >= 4
    assert outputs(finished.result()) == outputs(toy.search(beam))


@pytest.mark.parametrize("forced", [(UNK,), (UNK + 1, UNK), (UNK + 1, EOS)])
def test_a_beam_of_full_width_finds_the_best_of_the_outputs_that_begin_as_forced(table, outputs, forced):
    toy, start = table(rows=1), torch.full((1,), BOS)
    beam, finished = Beam(max_length=4, size=WIDE, n_best=WIDE), Finished(start, WIDE, 4)
    for _ in beam.expansions(toy.step, TableState(torch.arange(1)), start, finished, forced):
        pass
    begun = [one for one in toy.every_output(0, 4) if (*one[0], EOS)[: len(forced)] == forced]
    assert begun
    assert_outputs(outputs(finished.result()), [sorted(begun, key=lambda one: -rank(0.6, one))])
