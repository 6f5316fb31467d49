"""Rungs: the steps at which a halving pruner may stop or pause a trial. `trial.attached_trial` decides on that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

HALVING = ("HyperbandPruner", "SuccessiveHalvingPruner", "PauseAndPromote")


def a_third(max_resource: int) -> int:
    """The validations before a trial is judged for the first time, unless they are typed: a third of a full training.

    On the recorded curves of three tasks, searches that judge earlier stop what learns slowly and wins.
    """
    return math.ceil(max_resource / 3)


def rungs(pruner: Mapping[str, Any] | None, last: int | None = None) -> list[int]:
    """The steps at which a halving pruner may stop or pause a trial: `min_resource` times powers of `reduction_factor`.

    Hyperband's brackets share them, each starting at a later one. The last step is not among them: a trial that gets
    there is complete. Empty for other pruners, and where `min_resource` is not fixed in advance.
    """
    if pruner is None or str(pruner.get("_target_", "")).rpartition(".")[2] not in HALVING:
        return []
    first, factor = pruner.get("min_resource", 1), pruner.get("reduction_factor", 3)
    end = pruner.get("max_resource", last)
    if not isinstance(first, int) or not isinstance(end, int):
        return []
    return halving_steps(first, factor, end)


def halving_steps(first: int, factor: int, end: int) -> list[int]:
    """`first` times powers of `factor`, below `end`."""
    steps = []
    while first < end:
        steps.append(first)
        first *= factor
    return steps
