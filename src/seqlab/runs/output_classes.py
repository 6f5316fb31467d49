"""Sorts outputs into classes of failures, by a rule that compares their words with those of the reference."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import regex

from seqlab.runs.run_folder import SavedPrediction, Tokens
from seqlab.text.tokenizers import UNKNOWN

RULE = 2
"""The number of the rule; counts by different rules cannot be compared."""

KAPPA = 0.86
"""Cohen's κ of the rule with 100 outputs that were labelled by hand (tests/runs)."""

IN_WORDS = (
    "Each output is sorted into the first class that fits. Good: it is one of the known targets. Degenerate: it repeats"
    " itself (1 to 3 words twice in a row, or 3 words that appear in it twice, more often than in the reference, or up"
    " to 12 characters four times in a row), or it runs on (it exceeds the reference by more than half of it and two"
    " words). Missing words: at most 3/4 as long as the reference, and 55 % of its words appear there. Good, again: 2/3"
    " of the words are the reference's, in any order, if outputs may differ from it. Wrong words: the rest. In shares"
    " of words, a word counts more, the rarer it is in the references. The rule agrees with 100 outputs of small"
    f" models, labelled by hand before the rule was written, with Cohen's κ = {KAPPA} (its thresholds were set on them,"
    " and on a look at Multi30k). On 60 outputs of a GRU on Multi30k that were not used to set them, few of them good,"
    " κ is 0.63."
)
"""The rule in words, for readers of a report."""

CLASSES = ("good", "missing words", "degenerate", "wrong words")

GOOD, PRECISE = 2 / 3, 0.55  # shares of words, by weight
SHORT = 3 / 4
RUN_ON = 3 / 2, 2
REPEATED = 3  # words

_STUTTER = regex.compile(r"(.{0,11}?\p{L})\1{3,}")

Weight = Callable[[Hashable], float]
"""The weight of a word."""


def rarity(references: Sequence[Sequence[Hashable]]) -> Weight:
    """Weights of words: the logarithm of the inverse share of references that hold the word.

    A full stop or an article, which most references hold, says little about the content.
    """
    holding = Counter(word for reference in references for word in set(reference))
    return lambda word: math.log((len(references) + 1) / max(1, holding[word]))


def classify(one: SavedPrediction, words: Tokens, weight: Weight, exact: bool) -> str:
    """The class of an output, the first that fits:

    - *good*: it matches;
    - *degenerate*: it repeats itself (1 to 3 words twice in a row, or 3 words that appear in it twice, more often than
      in the reference; or up to 12 characters four times in a row), or it runs on (it exceeds the reference by more
      than half of it and two words);
    - *missing words*: at most 3/4 as long as the reference, and 55 % of its words, by weight, appear there;
    - *good*: 2/3 of the words, by weight, are the reference's (F₁ of their counts, whatever the order), unless outputs
      must be `exact`;
    - *wrong words*: the rest.
    """
    if one.match:
        return "good"
    output, reference = words(one.prediction), words(one.reference)
    if _repeats(output, reference) or _stutters(one) or len(output) > RUN_ON[0] * len(reference) + RUN_ON[1]:
        return "degenerate"
    shared = sum(map(weight, (Counter(output) & Counter(reference)).elements()))
    output_weight, reference_weight = sum(map(weight, output)), sum(map(weight, reference))
    if len(output) <= SHORT * len(reference) and shared >= PRECISE * output_weight:
        return "missing words"
    if not exact and 2 * shared >= GOOD * (output_weight + reference_weight):
        return "good"
    return "wrong words"


def _repeats(output: Sequence[Hashable], reference: Sequence[Hashable]) -> bool:
    if any(_in_a_row(output, n) > _in_a_row(reference, n) for n in range(1, REPEATED + 1)):
        return True
    known = _ngrams(reference)
    return any(count > max(1, known[ngram]) for ngram, count in _ngrams(output).items())


def _in_a_row(words: Sequence[Hashable], n: int) -> int:
    """How often n words are followed by the same n words, but for unknown words, which may be different ones."""
    starts = range(len(words) - 2 * n + 1)
    return sum(words[i : i + n] == words[i + n : i + 2 * n] and words[i] != UNKNOWN for i in starts)


def _ngrams(words: Sequence[Hashable]) -> Counter[tuple[Hashable, ...]]:
    return Counter(tuple(words[i : i + REPEATED]) for i in range(len(words) - REPEATED + 1))


def _stutters(one: SavedPrediction) -> bool:
    return bool(_STUTTER.search(one.prediction.lower())) and not _STUTTER.search(one.reference.lower())


def classes(predictions: Sequence[SavedPrediction], words: Tokens, exact: bool) -> list[str]:
    """The class of each output of a test set."""
    weight = rarity([words(one.reference) for one in predictions])
    return [classify(one, words, weight, exact) for one in predictions]


def counts(classes: Sequence[str]) -> dict[str, int]:
    """The number of outputs in each class, 0 included."""
    counted = Counter(classes)
    return {name: counted[name] for name in CLASSES}
