"""What appears in training is what a plain search for it finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.data.batch import Ragged
from seqlab.data.passages import Passages
from seqlab.metrics import training_index
from seqlab.metrics.training_index import TrainingIndex
from seqlab.special_tokens import UNK

IDS = st.lists(st.sampled_from([UNK, 5, 6]), max_size=23)


def part(passages):
    return Passages(Ragged.of(passages), [" ".join(f"w{i}" for i in passage) for passage in passages])


def within(ngram, passages):
    """Whether an n-gram without an unknown token is somewhere in a passage."""
    size = len(ngram)
    places = ((passage, at) for passage in passages for at in range(len(passage) - size + 1))
    return UNK not in ngram and any(passage[at : at + size] == ngram for passage, at in places)


@given(st.lists(IDS, max_size=5), IDS, st.integers(1, 3))
def test_the_longest_run_of_each_token_is_that_of_a_plain_search(passages, ids, size):
    index = TrainingIndex(part(passages[at : at + size]) for at in range(0, len(passages), size))
    seen = index.seen(ids, [])
    longest, shares = [0] * len(ids), {}
    for n in (5, 10, 15):
        found = [within(ids[at : at + n], passages) for at in range(len(ids) - n + 1)]
        shares[str(n)] = sum(found) / len(found) if found else None
        for at in range(len(found)):
            longest[at : at + n] = [n] * n if found[at] else longest[at : at + n]
    assert seen.longest.tolist() == longest and seen.overlap.ngrams == shares
    assert index.complete and index.tokens == sum(map(len, passages))


def shingles(text):
    padded = f" {text} ".ljust(5)
    return {padded[at : at + 5] for at in range(len(padded) - 4)}


def test_the_nearest_sentence_is_that_of_all_pairs():
    generator = np.random.default_rng(3)
    words = ["the", "captain", "waits", "for", "a", "ferry", "harbour", "slowly"]
    training = [" ".join(generator.choice(words, size=7)) for _ in range(211)]
    texts = [" ".join(generator.choice(words, size=7)) for _ in range(13)] + [
        "THE  captain waits",
        training[150].upper(),
    ]
    index = TrainingIndex([Passages(Ragged.of([]), [*training[:100], "the captain  waits", "", *training[100:]])])
    seen = index.seen([], [*texts, " "])
    training.append("the captain waits")
    for text, similarity, nearest in zip(texts, seen.similarities, seen.nearest, strict=True):
        own = shingles(text.casefold().replace("  ", " "))
        known = {one: len(own & shingles(one)) / len(own | shingles(one)) for one in training}
        assert similarity == pytest.approx(max(known.values())) == pytest.approx(known[nearest])
    assert seen.copies.tolist() == [text.casefold() in training for text in texts[:-2]] + [True, True]
    assert seen.nearest[-1] == training[150] and seen.overlap.nearest.compared == len(texts)


def test_of_nothing_nothing_appears():
    seen = TrainingIndex([]).seen([5] * 7, ["the ferry"])
    assert seen.longest.tolist() == [0] * 7 and seen.nearest == [""] and seen.overlap.copies == 0
    seen = TrainingIndex([part([[5] * 7])]).seen([], [])
    assert (seen.overlap.sentences, seen.overlap.copies, seen.overlap.nearest) == (0, None, None)


@pytest.mark.parametrize(("limit", "most"), [("MOST_TOKENS", 30), ("MOST_CHARACTERS", 100)])
def test_memory_has_a_limit_and_what_was_left_out_is_known(monkeypatch, limit, most):
    monkeypatch.setattr(training_index, limit, most)
    passages = [[5, 6, 7, 8, 9, 10, 11], [12] * 7]
    index = TrainingIndex([part([one] * 2) for one in (*passages, [13] * 7)])
    assert not index.complete and index.tokens == 28
    assert index.seen([5, 6, 7, 8, 9], []).longest.tolist() == [5] * 5
    assert not index.seen([13] * 5, []).longest.any()
