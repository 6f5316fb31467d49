import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.data.batch import Ragged
from seqlab.data.passages import Passages
from seqlab.metrics import leakage as module
from seqlab.metrics.leakage import Leakage, leakage, percent
from seqlab.special_tokens import UNK

SENTENCES = st.lists(st.lists(st.integers(UNK, UNK + 2), max_size=17), max_size=7)


def text(tokens):
    return " ".join(f"w{token}" for token in tokens)


def part(sentences):
    return Passages(Ragged.of(sentences), [text(tokens) for tokens in sentences])


def parts(sentences, size, name="sentences"):
    return [{name: part(sentences[at : at + size])} for at in range(0, len(sentences), size)]


def overlap(training, held_out, size=3):
    return leakage(parts(training, size), {"val": parts(held_out, size) or [{"sentences": part([])}]})["val"].sides[
        "sentences"
    ]


def share(held_out, training):
    """By brute force: how many of a list stand in another."""
    training = set(training)
    return sum(one in training for one in held_out) / len(held_out) if held_out else None


def ngrams(sentences, n):
    return [tuple(tokens[at : at + n]) for tokens in sentences for at in range(len(tokens) - n + 1)]


@given(SENTENCES, SENTENCES, st.integers(1, 4))
def test_shares_are_those_of_brute_force(training, held_out, size):
    found = overlap(training, held_out, size)
    said = [text(tokens) for tokens in held_out if tokens]
    assert found.sentences == len(said)
    assert found.copies == share(said, map(text, training))
    for n in (5, 10, 15):
        known = [one for one in ngrams(training, n) if UNK not in one]
        assert found.ngrams[str(n)] == share(ngrams(held_out, n), known)


def test_what_is_unknown_is_not_the_same():
    sentence = [5, 6, UNK, 7, 8, 9, 5, 6]
    assert overlap([sentence], [sentence]).ngrams == {"5": 0.25, "10": None, "15": None}


@pytest.mark.parametrize("planted", [0, 0.1, 0.5])
def test_planted_duplicates_are_recovered(planted):
    generator = np.random.default_rng(11)
    training = generator.integers(UNK + 1, 1000, (700, 23)).tolist()
    held_out = generator.integers(UNK + 1, 1000, (130, 23)).tolist()
    held_out[: int(planted * 130)] = training[300 : 300 + int(planted * 130)]
    found = overlap(training, held_out, 97)
    assert found.copies == planted
    assert found.ngrams == dict.fromkeys(("5", "10", "15"), planted)
    assert found.nearest.near_copies == planted


@pytest.mark.parametrize("planted", [0, 0.1, 0.5])
def test_planted_paraphrases_are_no_copies_but_near_ones(planted):
    generator = random.Random(13)
    training = [[generator.randrange(10_000) for _ in range(23)] for _ in range(300)]
    held_out = [[generator.randrange(10_000) for _ in range(23)] for _ in range(100)]
    for row in range(int(planted * 100)):
        held_out[row] = [*training[row][:11], 77, *training[row][12:]]
    found = overlap(training, held_out)
    assert found.copies == 0
    assert found.nearest.near_copies == planted
    assert found.ngrams["5"] == pytest.approx(planted * 14 / 19)  # 5 of 19 hold the word that was changed


def test_what_stands_twice_counts_twice():
    assert overlap([[1, 2]], [[1, 2], [1, 2], [2, 1]]).copies == 2 / 3


def test_case_and_spaces_do_not_make_another_sentence():
    training = {"sentences": Passages(Ragged.of([[1]]), ["The  END"])}
    held_out = {"sentences": Passages(Ragged.of([[1]]), [" the end "])}
    assert leakage([training], {"val": [held_out]})["val"].sides["sentences"].copies == 1


def test_both_sides_of_a_pair_must_stand_together():
    def sides(*pairs):
        return [{"sources": part([[s] for s, _ in pairs]), "targets": part([[t] for _, t in pairs])}]

    found = leakage(sides((1, 2), (3, 4)), {"val": sides((1, 2), (1, 4), (5, 4))})["val"].sides
    assert {name: side.copies for name, side in found.items()} == {"sources": 2 / 3, "targets": 1, "pairs": 1 / 3}
    assert (found["pairs"].ngrams, found["pairs"].nearest) == ({}, None)


def test_every_split_is_measured_by_itself():
    found = leakage(parts([[1], [2]], 1), {"val": parts([[1], [3]], 2), "test": parts([[2]], 2), "none": []})
    assert {split: [side.copies for side in one.sides.values()] for split, one in found.items()} == {
        "val": [0.5],
        "test": [1.0],
        "none": [],
    }


def test_no_training_leaks_nothing():
    found = leakage([], {"val": parts([[1] * 5], 1)})["val"].sides["sentences"]
    assert (found.copies, found.ngrams["5"], found.nearest.mean) == (0, 0, 0)


def test_of_many_sentences_an_even_sample_is_compared(monkeypatch):
    monkeypatch.setattr(module, "COMPARED", 10)
    held_out = [[row, row + 1] for row in range(0, 70, 2)]
    found = overlap(held_out[::4], held_out)  # every fourth of 35 is compared, and every fourth is a copy
    assert (found.nearest.compared, found.nearest.near_copies) == (9, 1)
    assert found.copies == 9 / 35


def test_the_distribution_of_the_nearest():
    found = overlap([[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]).nearest
    assert (found.compared, found.median, found.near_copies) == (3, 1, 2 / 3)
    assert found.mean == pytest.approx(2 / 3)


def test_json_gives_back_what_it_was_made_of():
    found = leakage(parts([[1] * 6], 1), {"val": parts([[1] * 6, [2]], 1), "test": [{"sentences": part([[]])}]})
    for one in found.values():
        assert Leakage.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_a_summary_has_a_line_a_side():
    def sides(*sentences):
        return [{"sources": part(sentences), "targets": part([[3]] * len(sentences))}]

    assert leakage(sides([1] * 12), {"val": sides([1] * 12, [2] * 5)})["val"].summary() == [
        "sources: 50% appear in training word for word, 50% nearly; of its 5-grams (5 tokens in a row) 88.9%, 10-grams"
        " 100%; too short for 15-grams",
        "targets: 100% appear in training word for word, 100% nearly; too short for 5-grams (5 tokens in a row),"
        " 10-grams, 15-grams",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "none"), (0, "0%"), (1, "100%"), (0.5, "50%"), (0.1834, "18.3%"), (0.0011, "0.11%"), (1.5e-5, "0.0015%")],
)
def test_a_share_is_shown_with_the_digits_that_matter(value, shown):
    assert percent(value) == shown


def test_hashes_are_compared_to_their_last_bit():
    """2⁶³ + 1 and 2⁶³ are one number in floating point."""
    found = module._HeldOutHashes()
    found.expect(np.array([2**63 + 1, 7], np.uint64))
    found.see(np.array([2**63], np.uint64))
    assert (found.total, found.share) == (2, 0.0)
