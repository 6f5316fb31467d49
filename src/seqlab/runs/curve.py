"""The learning curve of a run: its `metrics.csv` as one entry per validation."""

from __future__ import annotations

import math

from seqlab.runs.result import RunResult

POINTS = 100
"""The largest number of entries in a curve."""
VAL_LOSS = "val/teacher_forced/loss"
"""What an entry calls the validation loss."""

_KEPT = ("val/", "val_other/", "train/teacher_forced/loss", "train/scheduled_sampling/loss", "train/objective")
_AFTER_TRAINING = ("train/teacher_forced/perplexity", "test/teacher_forced/loss")  # logged only in the final evaluation


def curve(rows: list[dict[str, float]], result: RunResult) -> list[dict[str, float]]:
    """One entry for each step at which a validation or an epoch ended, thinned evenly to at most `POINTS` entries,
    among which the one with the lowest validation loss stays.

    `step` counts optimizer steps, `epoch` the epochs that have begun. Tokens, seconds and FLOPs are those of the whole
    training in proportion to the steps, because a run does not record the time of each step. Numbers that are not
    finite (of a run that diverged) are left out.
    """
    points: dict[int, dict[str, float]] = {}
    for row in rows:
        kept = {name: value for name, value in row.items() if name.startswith(_KEPT) and math.isfinite(value)}
        if kept and not any(name in row for name in _AFTER_TRAINING):
            step = int(row["step"]) + 1
            points.setdefault(step, {"step": step, "epoch": int(row.get("epoch", 0)) + 1}).update(kept)
    training = result.training
    totals = {"tokens": training.tokens, "seconds": training.seconds, "flops": training.flops}
    for step, point in points.items():
        for name, total in totals.items():
            if total is not None and result.steps:
                point[name] = total * step / result.steps
    return _thinned([points[step] for step in sorted(points)])


def _thinned(points: list[dict[str, float]]) -> list[dict[str, float]]:
    """The last entry and others at even distances before it, of which one gives way to the best near it: plots of
    several seeds pair their entries by place, so that no seed may have one more.
    """
    if len(points) <= POINTS:
        return points
    kept = [round((i + 1) * len(points) / POINTS) - 1 for i in range(POINTS)]
    if measured := [place for place, point in enumerate(points) if VAL_LOSS in point]:
        best = min(measured, key=lambda place: points[place][VAL_LOSS])
        if best not in kept:
            kept[min(range(POINTS - 1), key=lambda i: abs(kept[i] - best))] = best
    return [points[place] for place in kept]
