"""The figures of a run, computed from its digest; each is None where the run does not have it.

A time is known only of a run that had its cores to itself (see `result.had_cores_to_itself`): those of others depend on
what ran beside them.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqlab.metrics.registry import EXACT_MATCH, LOSS, entry_of
from seqlab.runs.curve import VAL_LOSS
from seqlab.runs.result import GENERATED, RunResult, had_cores_to_itself, in_mebibytes, in_teraflops
from seqlab.runs.schemas import Digest
from seqlab.runs.significance import METRICS, statistics_of

RunFigure = Callable[[Digest], float | None]


def inner(content: Any, path: Sequence[str]) -> Any:
    """The value at a path of keys in nested mappings; None if there is none."""
    for key in path:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def number_at(digest: Digest, path: Sequence[str]) -> float | None:
    """The finite number at a path of keys."""
    value = inner(digest, path)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def metric_of(split: str, name: str) -> RunFigure:
    """A metric ("kind/name") of a split, as a figure."""
    return lambda digest: number_at(digest, ("metrics", split, name))


def parameters(digest: Digest) -> float | None:
    """The number of the model's parameters."""
    return number_at(digest, ("parameters",))


def epochs(digest: Digest) -> float | None:
    """Epochs of training."""
    return number_at(digest, ("epochs",))


def training_seconds(digest: Digest) -> float | None:
    """Seconds of training, without validation."""
    return _of_own_time(digest.get("training"), "seconds")


def milliseconds_a_step(digest: Digest) -> float | None:
    """Milliseconds per training step, without validation."""
    seconds, steps = training_seconds(digest), number_at(digest, ("steps",))
    return 1000 * seconds / steps if seconds and steps else None


def tokens_per_second(digest: Digest) -> float | None:
    """Target tokens per second of training, without padding."""
    return _of_own_time(digest.get("training"), "tokens_per_second")


def outputs_per_second(digest: Digest) -> float | None:
    """Outputs per second of the run's own search."""
    return _of_own_time(inner(digest, ("generation", GENERATED)), "per_second")


def _of_own_time(cost: Mapping[str, Any] | None, name: str) -> float | None:
    return number_at(cost, (name,)) if cost is not None and had_cores_to_itself(cost) else None


def mebibytes(digest: Digest) -> float | None:
    """MiB of memory that training held at most."""
    return in_mebibytes(number_at(digest, ("training", "peak_memory")))


def teraflops(digest: Digest) -> float | None:
    """Operations of training, in 10¹²."""
    return in_teraflops(number_at(digest, ("training", "flops")))


def leaked(split: str) -> RunFigure:
    """The share of a split's sentences that appear in training: see `RunResult.leaked`."""
    return lambda digest: RunResult.of(digest).leaked(split)


def gap(digest: Digest) -> float | None:
    """Validation loss minus training loss, both with the weights that are kept."""
    val, train = (metric_of(split, LOSS)(digest) for split in ("val", "train"))
    return val - train if val is not None and train is not None else None


def best_epoch(digest: Digest) -> float | None:
    """The epoch with the lowest validation loss."""
    points = [point for point in digest.get("curve", ()) if VAL_LOSS in point]
    return float(min(points, key=lambda point: point[VAL_LOSS])["epoch"]) if points else None


def rows_by_length(digest: Digest) -> list[dict[str, Any]]:
    """The quality for each range of source lengths (see `by_length.by_length`); empty if it was not measured."""
    return list(digest.get("by_length", {}).get("rows", ()))


def mean_over_lengths(name: str) -> RunFigure:
    """The mean of a metric over those ranges of lengths that have it, weighted by their examples, as a figure."""
    return lambda digest: _weighted_mean(rows_by_length(digest), name)


def _weighted_mean(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    known = [row for row in rows if row["count"] and row.get(name) is not None]
    return statistics.fmean([row[name] for row in known], [row["count"] for row in known]) if known else None


def slope_by_length(digest: Digest) -> float | None:
    """How quality changes per additional source token, as a share of the mean quality: negative where it falls.

    A least-squares line through the bins of source lengths, each at its middle and weighted by its number of sentences.
    Its slope is divided by the weighted mean. Quality is BLEU, or exact match where the data are not text.
    """
    rows = rows_by_length(digest)
    name = "bleu" if all("bleu" in row for row in rows) else "exact_match"
    mean = _weighted_mean(rows, name)
    if len(rows) < 2 or not mean:
        return None
    weights = [row["count"] for row in rows]
    lengths = [(row["from"] + row["to"]) / 2 for row in rows]
    middle = statistics.fmean(lengths, weights)
    along = sum(w * (x - middle) * (row[name] - mean) for w, x, row in zip(weights, lengths, rows, strict=True))
    across = sum(w * (x - middle) ** 2 for w, x in zip(weights, lengths, strict=True))
    return float(along / across / mean)


def of_length(key: str, first: int, last: int = sys.maxsize) -> RunFigure:
    """A metric of those examples whose source has `first` to `last` tokens, as a figure.

    It is computed from single examples. A committed reference does not hold them: then exact match is that of the
    ranges of lengths within these bounds, unless one goes across a bound, and no other metric is known.

    Args:
        key: a metric that `significance` can test.
    """
    statistics_key, score = METRICS[entry_of(key).label]

    def figure(digest: Digest) -> float | None:
        if statistics_key in digest and "lengths" in digest:
            rows = statistics_of(digest, statistics_key)
            inside = np.array([first <= length <= last for length in digest["lengths"]])
            return score(rows[inside].sum(0)) if inside.any() else None
        if entry_of(key) is not entry_of(EXACT_MATCH):
            return None
        ranges = rows_by_length(digest)
        within = [row for row in ranges if first <= row["from"] and row["to"] <= last]
        across = any(row["from"] < bound <= row["to"] for row in ranges for bound in (first, last + 1))
        known = not across and all(row.get("exact_match") is not None for row in within)
        return _weighted_mean(within, "exact_match") if known else None

    return figure
