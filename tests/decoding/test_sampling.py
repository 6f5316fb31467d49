"""Sampling against the exact probabilities of a table."""

import math
from collections import Counter

import pytest
import torch

from seqlab.decoding import Greedy, Sample
from seqlab.special_tokens import BOS, EOS, PAD

DRAWS = 20_000


def distribution(table, prefix, temperature=1.0, top_k=None, top_p=1.0, min_length=0):
    """The distribution that is drawn from after `prefix`, by token, step for step as the papers say."""
    log_probabilities = table.next(0, prefix)
    if len(prefix) < min_length:
        del log_probabilities[EOS]
    ranked = sorted(log_probabilities, key=lambda token: -log_probabilities[token])[:top_k]

    def normalised(tokens):
        weights = {token: math.exp(log_probabilities[token] / temperature) for token in tokens}
        return {token: weight / sum(weights.values()) for token, weight in weights.items()}

    nucleus, mass = [], 0.0
    for token, probability in normalised(ranked).items():
        if mass < top_p:
            nucleus.append(token)
        mass += probability
    return normalised(nucleus)


def probabilities(table, max_length, prefix=(), probability=1.0, **settings):
    """The probability of each output."""
    found = {}
    for token, own in distribution(table, prefix, **settings).items():
        if token == EOS:
            found[prefix] = probability * own
        elif len(prefix) + 1 == max_length:
            found[(*prefix, token)] = probability * own
        else:
            found |= probabilities(table, max_length, (*prefix, token), probability * own, **settings)
    return found


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"top_k": 2},
        {"top_p": 0.7},
        {"temperature": 1.5, "top_k": 4, "top_p": 0.8},
        {"min_length": 1},
    ],
)
def test_outputs_are_as_frequent_as_they_are_probable(table, outputs, settings):
    toy = table(rows=1, symbols=4, seed=5, scale=1.0)
    found = outputs(toy.search(Sample(max_length=2, **settings), rows=[0] * DRAWS))
    counts = Counter(tokens for ((tokens, _),) in found)
    expected = {tokens: DRAWS * p for tokens, p in probabilities(toy, 2, **settings).items() if p > 0}
    assert counts.keys() <= expected.keys()
    frequent = {tokens: count for tokens, count in expected.items() if count >= 5}
    statistic = sum((counts[tokens] - count) ** 2 / count for tokens, count in frequent.items())
    # Chi-square has mean k and variance 2 k; the seed is fixed, so this either always holds or never.
    assert statistic < len(frequent) + 4 * math.sqrt(2 * len(frequent))


def test_scores_are_those_of_the_unmodified_model(table, outputs):
    toy = table(rows=3)
    own = [{tokens: score for tokens, score, _ in toy.every_output(row, 4)} for row in range(3)]
    found = outputs(toy.search(Sample(max_length=4, temperature=3.0, top_k=4, top_p=0.9, n_best=5)))
    for row, drawn in enumerate(found):
        assert [score for _, score in drawn] == pytest.approx([own[row][tokens] for tokens, _ in drawn], abs=1e-5)


def test_the_most_probable_of_several_draws_comes_first(table, outputs):
    toy = table(rows=3)
    for own in outputs(toy.search(Sample(max_length=4, n_best=7))):
        scores = [score for _, score in own]
        assert scores == sorted(scores, reverse=True)
        assert len(set(scores)) > 1


def test_equal_seeds_draw_equal_outputs_and_other_seeds_others(table):
    toy = table(rows=9)
    first, again, other = (toy.search(Sample(max_length=4, n_best=3, seed=seed)) for seed in (7, 7, 8))
    assert all(torch.equal(*values) for values in zip(first, again, strict=True))
    assert first.tokens.shape != other.tokens.shape or not torch.equal(first.tokens, other.tokens)


def test_later_rows_do_not_change_what_a_row_draws(table, outputs):
    toy = table(rows=9)
    together = outputs(toy.search(Sample(max_length=4, n_best=3)))
    for count in (1, 2, 5):
        assert outputs(toy.search(Sample(max_length=4, n_best=3), rows=range(count))) == together[:count]


def test_the_global_random_state_is_left_alone(table):
    toy = table()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = toy.search(Sample(max_length=4))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert torch.equal(toy.search(Sample(max_length=4)).scores, first.scores)


@pytest.mark.parametrize("settings", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-6}])
def test_settings_that_keep_one_token_are_greedy(table, settings):
    toy = table(rows=7, positions=9, symbols=5)
    greedy, sample = toy.search(Greedy(max_length=9)), toy.search(Sample(max_length=9, **settings))
    assert all(torch.equal(*values) for values in zip(sample, greedy, strict=True))


@pytest.mark.parametrize("settings", [{}, {"top_k": 3}, {"top_p": 0.5}])
def test_pad_and_bos_are_never_drawn(table, settings):
    toy = table(rows=50, positions=7)
    toy.logits[..., [PAD, BOS]] = 9.0
    found = toy.search(Sample(max_length=7, **settings))
    inside = torch.arange(found.tokens.size(2)) < found.lengths[..., None]
    assert ((found.tokens > EOS) == inside).all()


def test_the_smallest_and_the_largest_draw_choose_possible_tokens():
    weights = torch.tensor([0.0, 0.0, 0.3, 0.1, 0.37, 0.0])  # their sum is no power of two, and not rounded
    for settings in ({}, {"top_k": 5}, {"top_p": 0.99}):
        search = Sample(max_length=1, **settings)
        drawn = search.drawn(weights.log().expand(2, 6), torch.tensor([0.0, 1 - 2**-24]))
        ordered = [2, 4] if not settings else [4, 3]  # by id, or the most probable first
        assert drawn.tolist() == ordered


def test_rows_that_have_finished_leave_the_batch(table):
    toy = table(rows=3)
    toy.logits[0, 0, :, EOS] = toy.logits[1, 1, :, EOS] = 99.0
    toy.logits[1, 0, :, EOS] = toy.logits[2, :, :, EOS] = -99.0
    toy.search(Sample(max_length=4, n_best=2))
    assert toy.step_sizes == [6, 4, 2, 2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature must be 1e-6 to 1e6, but is 0.0"),
        ({"temperature": math.nan}, "temperature must be 1e-6 to 1e6, but is nan"),
        ({"top_k": 0}, "top_k must be at least 1, but is 0"),
        ({"top_p": 0.0}, "top_p must be greater than 0 and at most 1, but is 0.0"),
        ({"top_p": 1.1}, "top_p must be greater than 0 and at most 1, but is 1.1"),
        ({"n_best": 0}, "n_best must be at least 1, but is 0"),
        ({"seed": -1}, "seed must be an integer from 0 to 2³² − 1, but is -1"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Sample(max_length=7, **settings)
