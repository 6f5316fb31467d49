"""How a run went: its `metrics.csv` as one entry a validation."""

from __future__ import annotations

import math
from typing import Any

POINTS = 100
"""Entries of a curve, at most."""

_KEPT = ("val/", "val_other/", "train/teacher_forced/loss", "train/scheduled_sampling/loss", "train/objective")
_MEASURED = ("train/teacher_forced/perplexity", "test/teacher_forced/loss")  # logged only when training is over


def curve(rows: list[dict[str, float]], result: dict[str, Any]) -> list[dict[str, float]]:
    """An entry for each step at which a validation or an epoch ended, thinned evenly to at most `POINTS`.

    `step` counts optimizer steps, `epoch` those begun. Tokens, seconds and FLOPs of training are those of the whole
    run in proportion to the steps: a run keeps no clock by step. What is not finite (a run diverges) is left out.
    """
    points: dict[int, dict[str, float]] = {}
    for row in rows:
        kept = {name: value for name, value in row.items() if name.startswith(_KEPT) and math.isfinite(value)}
        if kept and not any(name in row for name in _MEASURED):
            step = int(row["step"]) + 1
            points.setdefault(step, {"step": step, "epoch": int(row.get("epoch", 0)) + 1}).update(kept)
    training = result.get("training") or {}
    for step, point in points.items():
        for name in ("tokens", "seconds", "flops"):
            if training.get(name) is not None and result.get("steps"):
                point[name] = training[name] * step / result["steps"]
    every = sorted(points)
    return [points[step] for step in _thinned(every)]


def _thinned(steps: list[int]) -> list[int]:
    """The last of them and others at even distances before it."""
    if len(steps) <= POINTS:
        return steps
    return [steps[round((i + 1) * len(steps) / POINTS) - 1] for i in range(POINTS)]
