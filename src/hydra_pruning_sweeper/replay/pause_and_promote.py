"""Pause and promote with one slot, simulated on recorded curves (asynchronous successive halving, arXiv 1810.05934)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from hydra_pruning_sweeper.replay.curves import Grid
from hydra_pruning_sweeper.replay.traces import SearchMethod, Trace, stopped_early
from hydra_pruning_sweeper.study.rungs import halving_steps
from hydra_pruning_sweeper.study.sampler import ConstrainedSampler
from hydra_pruning_sweeper.study.space import suggest


@dataclass
class PausedTraining:
    """A training that has come to a rung, or to its end.

    Args:
        params: what the sampler chose.
        values: the values of the whole training, as early stopping would end it.
        epochs: the number of epochs trained so far.
    """

    params: dict[str, Any]
    values: list[float]
    epochs: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether the training has come to its end."""
        return self.epochs == len(self.values)

    def best(self, epochs: int) -> float:
        """The best value within a number of epochs."""
        return min(self.values[:epochs])


def pause_and_promote(make_sampler: Callable[[int], BaseSampler], first: int, factor: int = 3) -> SearchMethod:
    """A search that pauses every trial at rungs, from `first` epochs on, and promotes the best paused ones.

    When the slot is free, the best trial of the highest rung that has one to promote goes on to the next rung: one that
    is among the best `n // factor` of the `n` that have been there. If there is none, a new trial starts.
    """

    def search(grid: Grid, seed: int, enough: Callable[[Trace], bool]) -> Trace:
        trace = Trace()
        trainings: list[PausedTraining] = []
        rungs = halving_steps(first, factor, grid.epochs)
        while not enough(trace):
            training = promotable(trainings, rungs, factor)
            if training is None and len(trainings) == len(grid.curves):
                break
            if training is None:
                params = _proposed(grid, trainings, make_sampler, seed)
                training = PausedTraining(params, stopped_early(grid.curve(params).values))
                trainings.append(training)
            before = training.epochs
            training.epochs = min(*(rung for rung in (*rungs, grid.epochs) if rung > before), len(training.values))
            trace.add(training.values[: training.epochs], training.is_complete, before)
        return trace

    return search


def promotable(trainings: list[PausedTraining], rungs: list[int], factor: int) -> PausedTraining | None:
    """The paused training that goes on next; None if no one may."""
    for rung in reversed(rungs):
        there = sorted((one for one in trainings if one.epochs >= rung), key=lambda one: one.best(rung))
        for one in there[: len(there) // factor]:
            if one.epochs == rung and not one.is_complete:
                return one
    return None


def _proposed(
    grid: Grid, trainings: list[PausedTraining], make_sampler: Callable[[int], BaseSampler], seed: int
) -> dict[str, Any]:
    """The settings of the next trial, from a study in which paused trainings are stopped ones."""
    study = optuna.create_study()
    study.add_trials([_as_trial(grid, one) for one in trainings])
    study.sampler = ConstrainedSampler(grid.space, make_sampler, seed, known=[one.params for one in trainings])
    trial = study.ask()
    return grid.space.chosen(lambda one, _: suggest(trial, one))


def _as_trial(grid: Grid, training: PausedTraining) -> FrozenTrial:
    return create_trial(
        state=TrialState.COMPLETE if training.is_complete else TrialState.PRUNED,
        value=training.best(training.epochs),
        params=training.params,
        distributions=grid.space.distributions,
        intermediate_values={step: training.best(step) for step in range(1, training.epochs + 1)},
    )
