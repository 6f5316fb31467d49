"""The plots of runs: loss against epochs, compute and time; quality against the length of the source."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from seqlab.metrics.registry import METRICS, TOKEN_BLEU, entry_of
from seqlab.reporting.page.figures import EMPHASISED, REST, Figure, Series, line_plot
from seqlab.reporting.page.group_names import colours, named, slug
from seqlab.reporting.page.groups import RunGroup, by_dataset
from seqlab.reporting.page.headings import title
from seqlab.reporting.page.judging import unsuited
from seqlab.runs.result import in_teraflops
from seqlab.runs.run_figures import rows_by_length
from seqlab.runs.schemas import Digest

VAL, TRAIN = "val/teacher_forced/loss", "train/teacher_forced/loss"
LOG_FROM = 20  # losses that differ by more than this factor get a logarithmic axis
BY_LENGTH = [one.name for one in reversed(METRICS) if one.by_length]


def learning(groups: Sequence[RunGroup]) -> list[Figure]:
    """The loss curves of runs of one dataset; runs without a curve are left out."""
    return [
        figure
        for kind, title, x, key, position in (
            ("train", "Training loss", "epoch", TRAIN, _epoch),
            ("val", "Validation loss", "epoch", VAL, _epoch),
            ("compute", "Validation loss against compute", "TFLOP of training", VAL, _compute),
            ("time", "Validation loss against time", "seconds of training", VAL, _seconds),
        )
        if (figure := _loss(kind, title, x, key, position, groups))
    ]


def _loss(
    kind: str,
    title: str,
    x: str,
    key: str,
    position: Callable[[Digest, dict[str, Any]], float | None],
    some: Sequence[RunGroup],
) -> Figure | None:
    lines = {one.id: [line for run in one.runs if (line := _line(run, key, position))] for one in some}
    some = [one for one in some if lines[one.id]]
    if not some:
        return None
    series = _series(some, lines)
    losses = [y for one in series for y in [*(y for _, y in one.points), *(low for low, _ in one.band)]]
    return line_plot(
        f"{kind}-{slug(some[0].dataset)}",
        title,
        x,
        "loss",
        series,
        log_x=kind in ("compute", "time"),
        whole=kind in ("train", "val"),
        log_y=len(losses) > 1 and 0 < min(losses) * LOG_FROM < max(losses),
    )


def _line(
    run: Digest, key: str, position: Callable[[Digest, dict[str, Any]], float | None]
) -> list[tuple[float, float]]:
    return [
        (at, entry[key])
        for entry in run.get("curve", [])
        if entry.get(key) is not None and (at := position(run, entry)) is not None and at > 0
    ]


def _epoch(run: Digest, entry: dict[str, Any]) -> float | None:
    """Epochs so far; a fraction where a run validates within an epoch."""
    step = entry.get("step")
    return run["epochs"] * step / run["steps"] if run.get("steps") and run.get("epochs") and step else None


def _compute(run: Digest, entry: dict[str, Any]) -> float | None:
    return in_teraflops(entry.get("flops"))


def _seconds(run: Digest, entry: dict[str, Any]) -> float | None:
    return entry.get("seconds")


def over_seeds(
    lines: Sequence[list[tuple[float, float]]],
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """The mean line and the band from lowest to highest, as far as every seed trained."""
    if len(lines) == 1:
        return lines[0], []
    points, band = [], []
    for at in zip(*lines, strict=False):
        values = [y for _, y in at]
        points.append((statistics.fmean(x for x, _ in at), statistics.fmean(values)))
        band.append((min(values), max(values)))
    return points, band


def _series(groups: Sequence[RunGroup], lines: dict[str, list[list[tuple[float, float]]]]) -> list[Series]:
    """A series per group over its seeds' lines (by the group's id).

    The user's groups, then tuned ones, then those of several seeds come first; those beyond `EMPHASISED` stay in the
    background.
    """
    ordered = sorted(groups, key=lambda one: (not one.is_users, not one.tuned, len(one.seeds) < 2))
    names, paints = named(ordered), colours(ordered[:EMPHASISED])
    others = f"{len(ordered) - EMPHASISED} more, in grey"
    return [
        Series(
            names[one.id],
            paints.get(one.id, REST),
            *over_seeds(lines[one.id]),
            kind="" if one.id in paints else others,
        )
        for one in ordered
    ]


def by_length(groups: Sequence[RunGroup]) -> list[Figure]:
    """Quality by source length: a plot per dataset that has several lengths."""
    figures = []
    for dataset, some in by_dataset([one for one in groups if lengths(one)]).items():
        metric = length_metric(some)
        labels = buckets(some)
        if metric is None or len(labels) < 2:
            continue
        lines = {
            one.id: [
                [(float(labels.index(bucket)), value) for bucket, value in values.items()]
                for run in one.runs
                if (values := lengths_of(run, metric))
            ]
            for one in some
        }
        series = _series(some, lines)
        trained = some[0].trained_to
        beyond = [i for i, label in enumerate(labels) if trained and _first(label) > trained]
        marks = [(beyond[0] - 0.5, f"longer than in training ({trained})")] if beyond and beyond[0] else []
        counts = {bucket: row["count"] for row in some[0].runs[0]["by_length"]["rows"] if (bucket := _bucket(row))}
        figures.append(
            line_plot(
                f"length-{slug(dataset)}",
                title(some),
                "source tokens",
                entry_of(metric).label,
                series,
                note=f"{some[0].runs[0]['by_length']['split']} split; examples per length: {_counts(counts)}"
                + _all_trained_on(some[0], labels)
                + (f"; {left_out}" if (left_out := references_left_out(some, metric)) else ""),
                zero=True,
                marks=marks,
                labels=labels,
                percent=entry_of(metric).is_share,
            )
        )
    return figures


def _all_trained_on(group: RunGroup, labels: Sequence[str]) -> str:
    """Why lengths begin later than the data: of the shortest sequences there are so few that training has them all."""
    shortest = group.setting("data", "min_length")
    begins = isinstance(shortest, int) and _first(labels[0]) > shortest
    return "; shorter ones are so few that training has them all" if begins else ""


def _counts(counts: dict[str, int]) -> str:
    """A count per bucket, or one for all where they hardly differ."""
    low, high = min(counts.values()), max(counts.values())
    if high - low < 2:
        return f"{low:,}" if low == high else f"{low:,} or {high:,}"
    return ", ".join(f"{bucket}: {count:,}" for bucket, count in counts.items())


def references_left_out(groups: Sequence[RunGroup], metric: str) -> str:
    """Which references a metric by length is computed without, in words; "" if it takes all."""
    several = any(run.get("references") == "first" for one in groups for run in one.runs)
    if metric == "exact_match" or not several:
        return ""
    return f"{entry_of(metric).label} here is against the first reference alone, as saved predictions hold no others"


def lengths(group: RunGroup) -> list[dict[str, Any]]:
    """The rows of the first run; empty where nothing was measured by length."""
    return rows_by_length(group.runs[0])


def length_metric(groups: Sequence[RunGroup]) -> str | None:
    """The metric that all of `groups` have at every length; BLEU, which is taken over words here, only if it suits."""
    rows = [row for one in groups for row in lengths(one)]
    names = [name for name in BY_LENGTH if name != "bleu" or TOKEN_BLEU not in unsuited(groups)]
    return next((name for name in names if rows and all(row.get(name) is not None for row in rows)), None)


def buckets(groups: Sequence[RunGroup]) -> list[str]:
    """All lengths, the shortest first."""
    return sorted({_bucket(row) for one in groups for row in lengths(one)}, key=_first)


def lengths_of(run: Digest, metric: str) -> dict[str, float]:
    """Length → value of the metric."""
    return {_bucket(row): float(row[metric]) for row in rows_by_length(run) if row.get(metric) is not None}


def _bucket(row: dict[str, Any]) -> str:
    low, high = row["from"], row.get("to")
    if high is None:
        return f"{low}+"
    return str(low) if low == high else f"{low}–{high}"


def _first(bucket: str) -> int:
    return int(re.split("[–+]", bucket)[0])
