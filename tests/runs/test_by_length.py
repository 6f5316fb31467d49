"""Quality by source length, against counting by hand and sacrebleu's own scores of the same sentences."""

import itertools

import numpy as np
import pytest
import sacrebleu

from seqlab.runs.by_length import FEWEST, SINGLE, bins, by_length
from seqlab.runs.run_folder import SavedPrediction
from seqlab.runs.scores import bleu_statistics
from seqlab.text.tokenizers import WordTokenizer


def test_a_few_lengths_are_a_bin_each():
    assert bins([n for n in range(1, 20) for _ in range(23)]) == [(n, n) for n in range(1, 20)]


def test_too_few_sources_go_to_the_bin_below_and_the_first_above():
    lengths = [2] * 3 + [3] * 41 + [4] * 43 + [5] * 2 + [6] * 47 + [7] * 1
    assert bins(lengths) == [(2, 3), (4, 5), (6, 7)]


def test_every_length_lies_in_one_bin():
    generator = np.random.default_rng(5)
    for size in (1, 2, 7, 53, 211, 1009):
        lengths = generator.poisson(13, size).clip(1).tolist()
        found = bins(lengths)
        assert (found[0][0], found[-1][1]) == (min(lengths), max(lengths))
        assert all(low <= high for low, high in found)
        assert all(after[0] == before[1] + 1 for before, after in itertools.pairwise(found))
        held = [sum(low <= length <= high for length in lengths) for low, high in found]
        assert sum(held) == size
        assert len(found) == 1 or min(held) >= min(FEWEST, size / 10)
        assert len(found) <= SINGLE


def test_a_row_holds_what_its_sentences_score():
    outputs = ["a b c d", "a b", "B c x d e", "f g h i j"]
    references = ["a b c d", "a c b", "b c d e", "f g h i k"]
    said = [SavedPrediction("", o, r, o == r) for o, r in zip(outputs, references, strict=True)]
    rows = by_length(said, [2, 2, 5, 5], str.split, bleu_statistics(said), lower=False)
    assert [(row["from"], row["to"], row["count"]) for row in rows] == [(2, 4, 2), (5, 5, 2)]
    short, long = rows
    assert (short["exact_match"], short["token_accuracy"]) == (0.5, 5 / 7)  # of a c b the a alone is in its place
    assert (long["exact_match"], long["token_accuracy"]) == (0.0, 5 / 9)  # in lower case is another token
    words = sacrebleu.BLEU(lowercase=True, tokenize="none", force=True)
    assert long["bleu"] == pytest.approx(words.corpus_score(outputs[2:], [references[2:]]).score)
    assert long["chrf"] == pytest.approx(sacrebleu.CHRF().corpus_score(outputs[2:], [references[2:]]).score)


def test_an_unknown_word_is_in_no_place_right():
    said = [SavedPrediction("", "a horse", "a zebra", False)]
    tokenizer = WordTokenizer(["a"])
    assert tokenizer.encode("a horse") == tokenizer.encode("a zebra")
    (row,) = by_length(said, [2], tokenizer.encode, None, lower=False)
    assert row["token_accuracy"] == 0.5


def test_arrays_have_no_bleu():
    said = [SavedPrediction("1 2", "2 1", "2 1", True), SavedPrediction("1 3", "3", "3 1", False)]
    (row,) = by_length(said, [2, 2], str.split, None, lower=False)
    assert row == {"from": 2, "to": 2, "count": 2, "exact_match": 0.5, "token_accuracy": 0.75}
