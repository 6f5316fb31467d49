"""The best value that a trial has reported until a step."""

from __future__ import annotations

import math

from optuna.trial import FrozenTrial


def best_value(trial: FrozenTrial, sign: int, until: float = math.inf) -> float | None:
    """A trial's best value until a step, times `sign` (see `sign_of`), so that lower is better; None if it has none.

    NaN is no value.
    """
    values = [sign * value for at, value in trial.intermediate_values.items() if at <= until and not math.isnan(value)]
    return min(values, default=None)
