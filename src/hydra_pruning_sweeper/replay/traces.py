"""The course of a search on recorded curves: what it had found after how many epochs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate

from hydra_pruning_sweeper.replay.curves import Grid

PATIENCE = 5  # validations without a better value after which a training stops early


@dataclass
class Trace:
    """The course of a search.

    Attributes:
        epochs: the number of epochs trained so far.
        trials: that number at the end of each trial, or whenever one was paused.
        scores: pairs of that number and the value reached then, of complete trials only: others are never best.
    """

    epochs: int = 0
    trials: list[int] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)

    def add(self, values: list[float], complete: bool, before: int = 0) -> None:
        """Adds a trial's values; the first `before` of them were counted earlier."""
        if complete:
            best = enumerate(accumulate(values, min), 1)
            self.scores += [(self.epochs + step - before, one) for step, one in best if step > before]
        self.epochs += len(values) - before
        self.trials.append(self.epochs)

    def best(self, epochs: float) -> float:
        """The best value within a number of epochs; infinite if there is none."""
        return min((value for at, value in self.scores if at <= epochs), default=math.inf)

    def reached(self, value: float) -> int | None:
        """The number of epochs until `value` was reached; None if it never was."""
        return next((at for at, one in self.scores if one <= value), None)


SearchMethod = Callable[[Grid, int, Callable[[Trace], bool]], Trace]
"""Searches a grid, with a seed, until its course is enough, or all of the grid was tried."""


def stopped_early(values: list[float], patience: int = PATIENCE) -> list[float]:
    """The values up to where early stopping ends the training."""
    best = 0
    for step, value in enumerate(values):
        if value < values[best]:
            best = step
        if step - best >= patience:
            return values[: step + 1]
    return values
