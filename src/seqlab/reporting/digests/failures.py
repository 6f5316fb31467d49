"""In what way an output fails, by a rule that looks at its words and those of the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import regex

from seqlab.reporting.digests.run_folder import Said, Tokens

RULE = 1
"""Which rule classes are by: another number, other classes."""

CLASSES = ("good", "missing words", "degenerate", "wrong words")

GOOD = 3 / 4  # shares of words
MISSING, PRECISE = 3 / 4, 2 / 3
RUN_ON = 3 / 2, 2
REPEATED = 4  # words

_STUTTER = regex.compile(r"(?=.{0,11}\p{L})(.{1,12}?)\1{3,}")


def classify(one: Said, words: Tokens, exact: bool) -> str:
    """The class of an output, the first that fits:

    - *good*: it matches;
    - *degenerate*: it repeats itself (1 to 4 words twice in a row, or 4 words that stand in it twice, more often than
      in the reference; or up to 12 characters four times in a row), or it runs on (by more than half of the reference
      and two words);
    - *missing words*: at most 3/4 as long as the reference, while 2/3 of its words stand there;
    - *good*: 3/4 of the words are the reference's (F₁ of their counts, whatever the order), unless outputs must be
      `exact`;
    - *wrong words*: the rest.
    """
    if one.match:
        return "good"
    output, reference = words(one.prediction), words(one.reference)
    if _repeats(output, reference) or _stutters(one) or len(output) > RUN_ON[0] * len(reference) + RUN_ON[1]:
        return "degenerate"
    shared = sum((Counter(output) & Counter(reference)).values())
    if len(output) <= MISSING * len(reference) and shared >= PRECISE * len(output):
        return "missing words"
    if not exact and 2 * shared >= GOOD * (len(output) + len(reference)):
        return "good"
    return "wrong words"


def _repeats(output: Sequence[Hashable], reference: Sequence[Hashable]) -> bool:
    if any(_in_a_row(output, n) > _in_a_row(reference, n) for n in range(1, REPEATED + 1)):
        return True
    known = _ngrams(reference)
    return any(count > max(1, known[ngram]) for ngram, count in _ngrams(output).items())


def _in_a_row(words: Sequence[Hashable], n: int) -> int:
    """How often n words are followed by the same n words."""
    return sum(words[i : i + n] == words[i + n : i + 2 * n] for i in range(len(words) - 2 * n + 1))


def _ngrams(words: Sequence[Hashable]) -> Counter[tuple[Hashable, ...]]:
    return Counter(tuple(words[i : i + REPEATED]) for i in range(len(words) - REPEATED + 1))


def _stutters(one: Said) -> bool:
    return bool(_STUTTER.search(one.prediction.lower())) and not _STUTTER.search(one.reference.lower())


def kappa(one: Sequence[str], other: Sequence[str]) -> float:
    """Cohen's κ (1960) of two lists of labels: agreement beyond that of chance, over that of all beyond chance."""
    agreed = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    counts, others = Counter(one), Counter(other)
    chance = sum(counts[label] * others[label] for label in counts) / len(one) ** 2
    return (agreed - chance) / (1 - chance)


def classes(said: Sequence[Said], words: Tokens, exact: bool) -> list[str]:
    """The class of each output."""
    return [classify(one, words, exact) for one in said]


def counts(classes: Sequence[str]) -> dict[str, int]:
    """How many there are of each class, none included."""
    counted = Counter(classes)
    return {name: counted[name] for name in CLASSES}
