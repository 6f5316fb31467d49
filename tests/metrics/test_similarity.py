import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.metrics import similarity
from seqlab.metrics.similarity import BATCH, Nearest, Shingles

TEXTS = st.lists(st.text("ab é\U0001f600", max_size=13), max_size=7)


def shingles(text):
    padded = f" {text} ".ljust(5)
    return {padded[at : at + 5] for at in range(len(padded) - 4)}


def jaccard(one, other):
    one, other = shingles(one), shingles(other)
    return len(one & other) / len(one | other)


def similarities(texts, others, batch=BATCH):
    nearest = Nearest(texts)
    for start in range(0, len(others), batch):
        nearest.see(Shingles.of(others[start : start + batch]))
    return nearest.similarities.tolist()


@given(TEXTS, TEXTS, st.integers(1, 8))
def test_the_nearest_is_that_of_brute_force(texts, others, batch):
    expected = [max((jaccard(text, other) for other in others), default=0) for text in texts]
    assert similarities(texts, others, batch) == pytest.approx(expected)


def test_many_texts_are_compared_as_few_are(monkeypatch):
    generator = random.Random(5)
    texts = ["".join(generator.choices("abcd ", k=generator.randint(0, 31))) for _ in range(2 * BATCH + 3)]
    texts, others = texts[: BATCH + 1], texts[BATCH + 1 :]
    expected = [max(jaccard(text, other) for other in others) for text in texts]
    assert similarities(texts, others) == pytest.approx(expected)
    monkeypatch.setattr(similarity, "_POSTINGS", 17)  # more than are looked up together
    assert similarities(texts, others) == pytest.approx(expected)


def test_by_hand():
    # " go. " against " go! ": nothing in common. "abcd" is " abcd", "abcd "; "abcde" is " abcd", "abcde", "bcde ".
    assert similarities(["go.", "abcd", "x"], ["go!", "abcde", "x"]) == pytest.approx([0, 1 / 4, 1])


def test_no_texts_have_no_shingles():
    none = Shingles.of([])
    assert [len(part) for part in (none.rows, none.codes, none.sizes)] == [0, 0, 0]
    assert similarities([], ["abc"]) == []
