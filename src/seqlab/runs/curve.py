"""The learning curve of a run: its `metrics.csv` as one entry per validation."""

from __future__ import annotations

import math

from seqlab.runs.result import RunResult

POINTS = 100
"""The largest number of entries in a curve."""

_KEPT = ("val/", "val_other/", "train/teacher_forced/loss", "train/scheduled_sampling/loss", "train/objective")
_AFTER_TRAINING = ("train/teacher_forced/perplexity", "test/teacher_forced/loss")  # logged only in the final evaluation


def curve(rows: list[dict[str, float]], result: RunResult) -> list[dict[str, float]]:
    """One entry for each step at which a validation or an epoch ended, thinned evenly to at most `POINTS` entries.

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
    return [points[step] for step in _thinned(sorted(points))]


def _thinned(steps: list[int]) -> list[int]:
    """The last step and others at even distances before it."""
    if len(steps) <= POINTS:
        return steps
    return [steps[round((i + 1) * len(steps) / POINTS) - 1] for i in range(POINTS)]
