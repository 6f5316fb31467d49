"""The figures of a run by name: values in its digest, and values computed from them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seqlab.metrics.registry import entry_of
from seqlab.runs.curve import VAL_LOSS
from seqlab.runs.result import GENERATED, own_times
from seqlab.runs.schemas import Digest
from seqlab.runs.significance import METRICS, statistics_of

OF_LENGTH = "_of_length."
"""In the name of a figure of those test examples whose source is so long: `token_bleu_of_length.21-`, `….1-9`."""

OF_SOME_RUNS = ("tokens_per_second", "outputs_per_second", "mebibytes")
"""Figures that a table gives over those runs that have them: a run that shared its cores has no speed."""
SHARES = ("copies", "near_copies", "slope_by_length")  # besides the metrics that are shares
COUNTS = ("parameters", "epochs", "best_epoch", "train", "steps")


def figure(digest: Digest, name: str) -> float | None:
    """A figure of a run; None if the run does not have it.

    Args:
        name: a key of `COMPUTED`, the path to a value in the digest (`metrics.val.teacher_forced/loss`), or see
            `OF_LENGTH`.
    """
    if name in COMPUTED:
        return COMPUTED[name](digest)
    if OF_LENGTH in name:
        metric, _, lengths = name.partition(OF_LENGTH)
        first, _, last = lengths.partition("-")
        return of_length(digest, entry_of(metric).label, int(first), int(last or sys.maxsize))
    value: Any = digest
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def milliseconds_a_step(digest: Digest) -> float | None:
    """Milliseconds per training step, without validation."""
    seconds, steps = figure(digest, "training.seconds"), figure(digest, "steps")
    return 1000 * seconds / steps if seconds is not None and steps else None


def tokens_per_second(digest: Digest) -> float | None:
    """Target tokens per second of training; None for a run that had to share its cores."""
    cost = digest.get("training", {})
    return cost.get("tokens_per_second") if own_times(cost) else None


def outputs_per_second(digest: Digest) -> float | None:
    """Outputs per second of greedy search; None where it is not known, or for a run that had to share its cores."""
    cost = digest.get("generation", {}).get(GENERATED)
    return cost.get("per_second") if own_times(cost) else None


def mebibytes(digest: Digest) -> float | None:
    """MiB of memory that training held at most; None where it is not known."""
    peak = figure(digest, "training.peak_memory")
    return None if peak is None else peak / 2**20


def gap(digest: Digest) -> float | None:
    """Validation loss minus training loss, both with the weights that are kept."""
    val, train = (figure(digest, f"metrics.{split}.teacher_forced/loss") for split in ("val", "train"))
    return val - train if val is not None and train is not None else None


def best_epoch(digest: Digest) -> float | None:
    """The epoch with the lowest validation loss."""
    points = [point for point in digest.get("curve", ()) if VAL_LOSS in point]
    return float(min(points, key=lambda point: point[VAL_LOSS])["epoch"]) if points else None


def slope_by_length(digest: Digest) -> float | None:
    """How quality changes per additional source token, as a share of the mean quality: negative where it falls.

    A least-squares line through the bins of source lengths, each at its middle and weighted by its number of sentences.
    Its slope is divided by the weighted mean. Quality is BLEU, or exact match where the data are not text.
    """
    rows = digest.get("by_length", {}).get("rows", ())
    name = "bleu" if all("bleu" in row for row in rows) else "exact_match"
    weights = [row["count"] for row in rows]
    lengths = [(row["from"] + row["to"]) / 2 for row in rows]
    values = [row[name] for row in rows]
    total = sum(weights)
    if len(rows) < 2 or not sum(values):
        return None
    middle = sum(w * x for w, x in zip(weights, lengths, strict=True)) / total
    mean = sum(w * y for w, y in zip(weights, values, strict=True)) / total
    along = sum(w * (x - middle) * (y - mean) for w, x, y in zip(weights, lengths, values, strict=True))
    across = sum(w * (x - middle) ** 2 for w, x in zip(weights, lengths, strict=True))
    return float(along / across / mean)


def of_length(digest: Digest, metric: str, first: int, last: int) -> float | None:
    """A metric that `significance` can test, of the examples whose source has `first` to `last` tokens."""
    key, score = METRICS[metric]
    if key not in digest or "lengths" not in digest:
        return None
    rows = statistics_of(digest, key)
    inside = np.array([first <= length <= last for length in digest["lengths"]])
    return score(rows[inside].sum(0)) if inside.any() else None


def teraflops(digest: Digest) -> float | None:
    """Operations of training, in 10¹²."""
    flops = figure(digest, "training.flops")
    return None if flops is None else flops / 1e12


COMPUTED: dict[str, Callable[[Digest], float | None]] = {
    "milliseconds_a_step": milliseconds_a_step,
    "tokens_per_second": tokens_per_second,
    "outputs_per_second": outputs_per_second,
    "mebibytes": mebibytes,
    "teraflops": teraflops,
    "gap": gap,
    "best_epoch": best_epoch,
    "slope_by_length": slope_by_length,
}


def written(name: str, spread: Mapping[str, Any]) -> str:
    """Mean ± standard deviation, in a format that suits the figure; only the mean where all values are the same."""
    format_spec = _format_spec(name, spread["mean"])
    mean = format(spread["mean"], format_spec)
    return mean if len(set(spread["values"])) == 1 else f"{mean} ± {format(spread['sd'], format_spec)}"


def written_difference(name: str, difference: float) -> str:
    """A difference in a figure, with its sign; of shares in percentage points."""
    is_share = _format_spec(name, difference).endswith("%")
    text = f"{100 * difference:+.2f} percentage points" if is_share else f"{difference:+.2f}"
    return text.replace("-", "−")


def _format_spec(name: str, mean: float) -> str:
    last = name.partition(OF_LENGTH)[0].rpartition(".")[2].rpartition("/")[2]
    if last in COUNTS:
        return ",.0f" if float(mean).is_integer() else ",.1f"
    if last in SHARES or entry_of(last).is_share or ".ngrams." in name:
        return ".2%"
    size = math.floor(math.log10(abs(mean))) if mean else 0
    return f",.{min(4, max(0, 3 - size))}f"
