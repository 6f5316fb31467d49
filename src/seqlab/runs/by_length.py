"""Quality by the length of the source: at which length a vector of fixed size no longer holds the whole source."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from seqlab.runs.run_folder import SavedPrediction, Tokens
from seqlab.special_tokens import UNK

BINS = 10
"""The number of bins for the lengths of 99 % of the sources, if lengths have to share bins."""

SINGLE = 20
"""Up to this many different lengths, each is a bin of its own, if most of them have enough sources."""

FEWEST = 20
"""The smallest number of sources in a bin, or a tenth of all sources if that is less."""


def bins(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Ranges of one width (both ends included) that cover all lengths.

    A range with too few sources (`FEWEST`) is joined with the one below it, the first range with the one above it.
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
    few = False  # whether the last range has too few sources and no range below it
    for low, high in ranges:
        sources = sum(counts[length] for length in range(low, high + 1))
        if joined and (few or sources < fewest):
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
        few = sum(counts[length] for length in range(joined[-1][0], high + 1)) < fewest
    joined[0], joined[-1] = (max(joined[0][0], shortest), joined[0][1]), (joined[-1][0], min(joined[-1][1], longest))
    return joined


def by_length(
    predictions: Sequence[SavedPrediction],
    lengths: Sequence[int],
    tokens: Tokens,
    bleu: np.ndarray | None,
    lower: bool,
) -> list[dict[str, Any]]:
    """One row per range of source lengths: count, exact match, token accuracy and, for texts, token BLEU and chrF.

    An exact match may be with any reference; the others are against the first, the only one that is saved.

    Args:
        lengths: the length of each source, in tokens.
        tokens: splits outputs and references for token accuracy, the share of a reference's tokens that the output has
            at the same position.
        bleu: sufficient statistics of token BLEU (sentences, statistics); None if the outputs are no texts.
        lower: whether chrF ignores case.
    """
    rows = []
    for low, high in bins(lengths):
        inside = [i for i, length in enumerate(lengths) if low <= length <= high]
        some = [predictions[i] for i in inside]
        counts = [_right_and_all(tokens(one.prediction), tokens(one.reference)) for one in some]
        right, total = (sum(column) for column in zip(*counts, strict=True))
        row = {
            "from": low,
            "to": high,
            "count": len(some),
            "exact_match": sum(bool(one.match) for one in some) / len(some),
        }
        if total:
            row["token_accuracy"] = right / total
        if bleu is not None:
            from seqlab.runs.scores import are_short, bleu_of, chrf_of

            row["bleu"], row["chrf"] = bleu_of(bleu[inside].sum(0), are_short(bleu)), chrf_of(some, lower)
        rows.append(row)
    return rows


def _right_and_all(output: Sequence[Hashable], reference: Sequence[Hashable]) -> tuple[int, int]:
    """The right tokens and all; UNK is never right, since it does not say which word it is."""
    return sum(a == b != UNK for a, b in zip(output, reference, strict=False)), len(reference)
