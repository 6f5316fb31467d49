"""Figures of a run by name: what its digest holds, and what is computed of that."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from seqlab.metrics.registry import entry_of
from seqlab.runs.schemas import Digest

SHARES = ("copies", "near_copies", "slope_by_length")  # beside the metrics that are shares
COUNTS = ("parameters", "epochs", "best_epoch", "train", "steps")


def figure(digest: Digest, name: str) -> float | None:
    """A figure of a run; None where it has none.

    Args:
        name: one of `COMPUTED`, or where it stands in the digest: `metrics.val.teacher_forced/loss`.
    """
    if name in COMPUTED:
        return COMPUTED[name](digest)
    value: Any = digest
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def milliseconds_a_step(digest: Digest) -> float | None:
    """Of training, validation left out."""
    seconds, steps = figure(digest, "training.seconds"), figure(digest, "steps")
    return 1000 * seconds / steps if seconds is not None and steps else None


def gap(digest: Digest) -> float | None:
    """Validation loss above training loss, both of the weights that are kept."""
    val, train = (figure(digest, f"metrics.{split}.teacher_forced/loss") for split in ("val", "train"))
    return val - train if val is not None and train is not None else None


def best_epoch(digest: Digest) -> float | None:
    """The epoch of the lowest validation loss."""
    name = "val/teacher_forced/loss"
    points = [point for point in digest.get("curve", ()) if name in point]
    return float(min(points, key=lambda point: point[name])["epoch"]) if points else None


def slope_by_length(digest: Digest) -> float | None:
    """How quality changes with a token more of source, as a share of the mean quality: negative where it falls.

    The slope of least squares through the bins of source lengths (BLEU, or exact match where there is no text), each
    in its middle and weighted by its sentences, divided by their weighted mean.
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


COMPUTED: dict[str, Callable[[Digest], float | None]] = {
    "milliseconds_a_step": milliseconds_a_step,
    "gap": gap,
    "best_epoch": best_epoch,
    "slope_by_length": slope_by_length,
}


def written(name: str, spread: Mapping[str, Any]) -> str:
    """Mean ± deviation as a person reads it; without the latter where there is one value, or all are the same."""
    form = _form(name, spread["mean"])
    mean = format(spread["mean"], form)
    return mean if len(set(spread["values"])) == 1 else f"{mean} ± {format(spread['sd'], form)}"


def _form(name: str, mean: float) -> str:
    last = name.rpartition(".")[2].rpartition("/")[2]
    if last in COUNTS:
        return ",.0f" if float(mean).is_integer() else ",.1f"
    if last in SHARES or entry_of(last).is_share or ".ngrams." in name:
        return ".2%"
    size = math.floor(math.log10(abs(mean))) if mean else 0
    return f",.{min(4, max(0, 3 - size))}f"
