"""When a study is finished, and when it has failed: what its trials say of that, whoever runs them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hydra_pruning_sweeper.objectives import sign_of
from hydra_pruning_sweeper.study.pausing import was_paused
from hydra_pruning_sweeper.study.trial_command import command_of

COUNTED = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)
RETRY_OF = "retry_of"  # attribute of a trial: the number of the failed one that it retries
RETRY = "retry"  # attribute of a study: the numbers of failed trials that the user has marked


@dataclass(frozen=True)
class Rules:
    """When a study is finished, and when it has failed.

    Args:
        trials: how many are to be complete or pruned in the end, over all controllers.
        retries: how often a failed trial is retried, under a new number.
        failures: the share of `trials` that may fail for good before nothing more is started.
        deaths: how often in a row a trial's process may die without reporting another step; then the trial has failed.
        patience: seconds without a sign of life after which a controller on another machine counts as dead.
        stagnation: so many trials that ended since the best one did, and no further one is started; None: no limit.
    """

    trials: int
    retries: int = 1
    failures: float = 0.2
    deaths: int = 5
    patience: float = 120.0
    stagnation: int | None = None

    def are_enough(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether as many trials as planned are complete, pruned or running."""
        return sum(one.state in COUNTED for one in trials) >= self.trials

    def why_stagnant(self, trials: Sequence[FrozenTrial], direction: StudyDirection) -> str | None:
        """Why no more trials are to be started, if too many have ended since the best one did; else None."""
        if self.stagnation is None or (since := _since_best(trials, direction)) < self.stagnation:
            return None
        return f"none of the last {since} was better (hydra.sweeper.patience)"

    def to_retry(self, trials: Sequence[FrozenTrial], marked: Collection[int]) -> list[FrozenTrial]:
        """Failed trials to be retried: those that the user has `marked`, and those with retries left."""
        by_number = {one.number: one for one in trials}

        def tries(trial: FrozenTrial) -> int:
            before = trial.user_attrs.get(RETRY_OF)
            return 0 if before is None else 1 + tries(by_number[before])

        return [one for one in failed_for_good(trials) if one.number in marked or tries(one) < self.retries]


def failed_for_good(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Failed trials that were not retried, without those that ended before they had a command line."""
    retried = {one.user_attrs.get(RETRY_OF) for one in trials}
    failed = [one for one in trials if one.state == TrialState.FAIL and command_of(one.user_attrs) is not None]
    return [one for one in failed if one.number not in retried]


def _since_best(trials: Sequence[FrozenTrial], direction: StudyDirection) -> int:
    """How many complete and pruned trials have ended after the best one had, but for those left paused."""
    sign = sign_of(direction)
    ended = [one for one in trials if one.state in (TrialState.COMPLETE, TrialState.PRUNED) and not was_paused(one)]
    ended.sort(key=lambda one: cast(datetime, one.datetime_complete))
    costs = [sign * cast(float, one.value) if one.state == TrialState.COMPLETE else math.inf for one in ended]
    best = min(costs, default=math.inf)
    return 0 if best == math.inf else len(costs) - 1 - costs.index(best)
