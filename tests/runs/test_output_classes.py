"""Classes of outputs: the rule by cases, and beside labels given by hand.

`labelled.tsv` holds outputs of small models trained on the phrasebook that ships with seqlab (single sentences, or two
or three in a row), drawn at random and labelled from reading before the rule was written.
"""

import csv
import math
from collections import Counter
from pathlib import Path

import pytest

from seqlab.runs.output_classes import CLASSES, IN_WORDS, KAPPA, classes, classify, counts, rarity
from seqlab.runs.run_folder import SavedPrediction
from seqlab.text.tokenizers import words_and_marks

LABELLED = Path(__file__).parent / "labelled.tsv"
WORDS = words_and_marks

CASES = [
    ("a man rides a horse .", "a man rides a horse .", "good"),
    ("a man is riding a horse .", "a man rides a horse .", "good"),  # 5 words of 7 and 6, each weighing as much
    ("a horse rides a man .", "a man rides a horse .", "good"),  # order is not looked at
    ("a man rides .", "a man rides a horse .", "missing words"),
    ("", "a man .", "missing words"),
    ("the cat sleeps .", "a man rides a horse today .", "wrong words"),  # short, but of other words
    ("a dog rides a big car .", "a man rides a horse .", "wrong words"),
    ("a man rides a a horse .", "a man rides a horse .", "degenerate"),
    ("a man in a man in a hat .", "a man in a big red hat .", "degenerate"),
    ("a very , very old man .", "a very , very old man !", "good"),  # the reference says it twice as well
    ("in a red hat a man in a red hat .", "a man in a red hat .", "degenerate"),
    ("a man rides a horse and then a dog comes along .", "a man rides a horse .", "degenerate"),  # runs on
    ("talktalktalktalk", "a man rides a horse .", "degenerate"),
    ("a man … ha ha ha ha !", "a man laughs : ha ha ha ha !", "good"),
]


def said(prediction, reference, match=False):
    return SavedPrediction("", prediction, reference, match)


@pytest.mark.parametrize(("prediction", "reference", "label"), CASES)
def test_the_rule_by_cases(prediction, reference, label):
    assert classify(said(prediction, reference), WORDS, lambda _: 1.0, exact=False) == label


def test_what_matches_is_good_whatever_the_reference_is():
    assert classify(said("très bien , très bien , très bien", "oui", match=True), WORDS, len, exact=False) == "good"


def test_where_outputs_must_be_exact_near_ones_are_wrong():
    assert classify(said("1 2 3 4 5 6 8", "1 2 3 4 5 6 7"), str.split, lambda _: 1.0, exact=True) == "wrong words"
    assert classify(said("1 2 3 4 5 6 8", "1 2 3 4 5 6 7"), str.split, lambda _: 1.0, exact=False) == "good"
    assert classify(said("1 2 3", "1 2 3 4 5 6 7"), str.split, lambda _: 1.0, exact=True) == "missing words"
    assert classify(said("1 2 3 3 3", "1 2 3 4 5"), str.split, lambda _: 1.0, exact=True) == "degenerate"


def test_common_words_say_little():
    """Of a reference's words an output shares all but one: it matters which."""
    references = [WORDS(text) for text in ("a man rides a horse .", "a dog eats .", "a cat .", "a bird sings .")]
    weight = rarity(references)
    assert weight("a") == weight(".") == pytest.approx(math.log(5 / 4))
    assert weight("horse") == weight("never seen") == pytest.approx(math.log(5))
    assert classify(said("the man rides the horse .", "a man rides a horse ."), WORDS, weight, exact=False) == "good"
    assert classify(said("a dog flies a kite .", "a man rides a horse ."), WORDS, weight, exact=False) == "wrong words"


def test_unknown_words_in_a_row_may_be_different_ones():
    assert classify(said("a <unk> <unk> b .", "a c d b ."), WORDS, lambda _: 1.0, exact=False) == "wrong words"
    assert classify(said("a <unk> <unk> <unk> <unk> .", "a c d b ."), WORDS, lambda _: 1.0, exact=False) == "degenerate"


def test_every_class_is_counted():
    found = classes([said("a b", "a b", True), said("a a a", "a b c")], WORDS, exact=False)
    assert counts(found) == {"good": 1, "missing words": 0, "degenerate": 1, "wrong words": 0}


def kappa(one, other):
    """Cohen's κ (1960) of two lists of labels: agreement beyond that of chance, over all there is beyond chance."""
    agreed = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    counts, others = Counter(one), Counter(other)
    chance = sum(counts[label] * others[label] for label in counts) / len(one) ** 2
    return (agreed - chance) / (1 - chance)


def test_kappa_by_hand():
    """Cohen (1960): (0.7 − 0.5) / (1 − 0.5)."""
    one, other = ["a"] * 25 + ["b"] * 25, ["a"] * 20 + ["b"] * 5 + ["a"] * 10 + ["b"] * 15
    assert kappa(one, other) == pytest.approx(0.4)
    assert kappa(["a", "b", "c"], ["a", "b", "c"]) == 1.0


def test_the_rule_agrees_with_a_hand():
    with LABELLED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    labels = [row["label"] for row in rows]
    assert len(rows) == 100
    assert set(labels) == set(CLASSES)
    outputs = [
        said(row["prediction"], row["reference"], WORDS(row["prediction"]) == WORDS(row["reference"])) for row in rows
    ]
    found = classes(outputs, WORDS, exact=False)
    agreed = Counter(label for label, own in zip(labels, found, strict=True) if label == own)
    assert agreed.total() == 91
    assert round(kappa(labels, found), 2) == KAPPA
    assert f"κ = {KAPPA} " in IN_WORDS
