"""The bandit rule: a trial is stopped when it is far behind the best one after as many validations."""

from __future__ import annotations

import math
from statistics import median
from typing import Literal

from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_pruning_sweeper.objectives import sign_of
from hydra_pruning_sweeper.study.best_value import best_value

FEWEST = 3  # values from which a spread is computed


class BanditPruner(BasePruner):
    """Stops a trial whose best value so far is worse than the incumbent's after as many validations, with some slack.

    The incumbent is the best of the other trials that are complete, or running and as far. With `scale="factor"` a loss
    may be `slack` times as large as the incumbent's. With `scale="spread"` a value may be worse by `slack` times the
    median absolute deviation of all trials' best values after as many validations, from three trials on.

    Args:
        max_resource: validations of a full training.
        min_resource: validations before a trial may be stopped.
        slack: how far behind a trial may be.
        scale: what `slack` multiplies; "auto": the incumbent's value if the study minimizes and that value is positive,
            as losses are, else the spread.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        max_resource: int,
        min_resource: int,
        slack: float = 2.5,
        scale: Literal["auto", "factor", "spread"] = "auto",
    ) -> None:
        if scale not in ("auto", "factor", "spread"):
            raise ValueError(f"scale must be auto, factor or spread, but is {scale}")
        if slack <= 0 or (scale == "factor" and slack < 1):
            raise ValueError(f"slack must be above 0, and at least 1 as a factor, but is {slack}")
        if not 1 <= min_resource <= max_resource:
            raise ValueError(f"min_resource must be from 1 to max_resource, but is {min_resource}")
        self.min_resource, self.slack, self.scale = min_resource, slack, scale

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to stop a trial after its last step."""
        step = trial.last_step
        if step is None or step < self.min_resource:
            return False
        sign = sign_of(study.direction)
        value = best_value(trial, sign, step)
        if value is None:  # nothing but NaN
            return True
        others = [one for one in study.get_trials(deepcopy=False) if one.number != trial.number]
        at_step = {one.number: best for one in others if (best := best_value(one, sign, step)) is not None}
        rivals = [one for one in others if one.number in at_step and _may_win(one, step)]
        if not rivals:
            return False
        incumbent = at_step[min(rivals, key=lambda one: (best_value(one, sign) or 0.0, one.number)).number]
        return value > incumbent + self._slack(incumbent, [value, *at_step.values()], sign)

    def _slack(self, incumbent: float, values: list[float], sign: int) -> float:
        """How much worse than the incumbent a value may be; values are such that lower ones are better."""
        if self.scale == "factor" or (self.scale == "auto" and sign == 1 and incumbent > 0):
            return (self.slack - 1) * abs(incumbent)
        if len(values) < FEWEST:
            return math.inf
        middle = median(values)
        return self.slack * median(abs(one - middle) for one in values) or math.inf


def _may_win(trial: FrozenTrial, step: int) -> bool:
    """Whether a trial is complete, or runs and is as far as `step`.

    One that stopped early before that step is complete, with its best value.
    """
    return trial.state == TrialState.COMPLETE or (trial.state == TrialState.RUNNING and (trial.last_step or 0) >= step)
