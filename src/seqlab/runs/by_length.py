"""Quality by the length of the source: where a vector of fixed size no longer holds all that was said."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from seqlab.runs.run_folder import SavedPrediction, Tokens

BINS = 10
"""Bins that the lengths of most sources (99 %) fall into, where not each length can be a bin of its own."""

SINGLE = 20
"""Different lengths up to which each is a bin of its own, if most have enough sources for one."""

FEWEST = 20
"""Sources that a bin holds, at least, or a tenth of all if that is less: with fewer it goes to its neighbour."""


def bins(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Ranges of lengths (both ends included) of one width, in which every length lies; the same for the same lengths.

    One with too few sources (`FEWEST`) is joined with the one below it (the first: above).
    """
    counts = Counter(lengths)
    shortest, longest = min(counts), max(counts)
    fewest, width = min(FEWEST, len(lengths) / 10), 1
    if len(counts) > SINGLE or statistics.median(counts.values()) < fewest:
        most = float(np.quantile(np.asarray(lengths), 0.99))
        width = max(1, math.ceil(most / BINS))
    edges = list(range((shortest - 1) // width * width + 1, longest + 1, width))
    ranges = [(low, low + width - 1) for low in edges]
    joined: list[tuple[int, int]] = []
    few = False  # whether the last of `joined` has too few, and nothing below it to go to
    for low, high in ranges:
        here = sum(counts[length] for length in range(low, high + 1))
        if joined and (few or here < fewest):
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
        few = sum(counts[length] for length in range(joined[-1][0], high + 1)) < fewest
    joined[0], joined[-1] = (max(joined[0][0], shortest), joined[0][1]), (joined[-1][0], min(joined[-1][1], longest))
    return joined


def by_length(
    said: Sequence[SavedPrediction], lengths: Sequence[int], tokens: Tokens, bleu: np.ndarray | None, lower: bool
) -> list[dict[str, Any]]:
    """A row a range of source lengths: count, exact match, token accuracy and, of texts, token BLEU and chrF.

    Args:
        lengths: of each source, in tokens.
        tokens: takes outputs and references to pieces, for token accuracy: the share of a reference's tokens that stand
            at their place in the output.
        bleu: sufficient statistics of token BLEU, a row a sentence; None where there is no text.
        lower: whether case does not count in chrF.
    """
    rows = []
    for low, high in bins(lengths):
        inside = [i for i, length in enumerate(lengths) if low <= length <= high]
        own = [said[i] for i in inside]
        places = [_in_place(tokens(one.prediction), tokens(one.reference)) for one in own]
        right, asked = (sum(column) for column in zip(*places, strict=True))
        row = {
            "from": low,
            "to": high,
            "count": len(own),
            "exact_match": sum(bool(one.match) for one in own) / len(own),
        }
        if asked:
            row["token_accuracy"] = right / asked
        if bleu is not None:
            from seqlab.runs.scores import bleu_of, chrf_of

            row["bleu"], row["chrf"] = bleu_of(bleu[inside].sum(0)), chrf_of(own, lower)
        rows.append(row)
    return rows


def _in_place(output: Sequence[Hashable], reference: Sequence[Hashable]) -> tuple[int, int]:
    return sum(a == b for a, b in zip(output, reference, strict=False)), len(reference)
