"""Search methods compared on recorded curves: `python -m hydra_pruning_sweeper.replay.compare CURVES FILE`.

Nothing is trained, so a search takes seconds. Study, sampler and pruner are the code that a sweep runs; only the values
are read from a table. Cost is counted in epochs, with one trial running at a time.
"""

from __future__ import annotations

import json
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.replay.curves import Curve, Grid, read_curves
from hydra_pruning_sweeper.study.shared_study import LeasedTrial, Rules, SharedStudy
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.attached_trial import AttachedTrial

PATIENCE = 5  # validations without a better value after which a training stops early
TRIALS = 25  # of the reference search, whose cost and result the others are compared with
SEEDS = range(10, 20)  # the settings below were chosen with other seeds
FIRST, KEPT = 100, 10  # configurations that are trained for one epoch, and the best of them that are trained in full


@dataclass
class Trace:
    """The course of a search.

    Attributes:
        epochs: the number of epochs trained so far.
        trials: that number at the end of each trial.
        scores: pairs of that number and the value reached then, of complete trials only: others are never best.
    """

    epochs: int = 0
    trials: list[int] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)

    def add(self, values: list[float], complete: bool, before: int = 0) -> None:
        """Adds a trial's values; the first `before` of them were counted earlier."""
        if complete:
            self.scores += [(self.epochs + step - before, one) for step, one in enumerate(values, 1) if step > before]
        self.epochs += len(values) - before
        self.trials.append(self.epochs)

    def best(self, epochs: float) -> float:
        """The best value within a number of epochs; infinite if there is none."""
        return min((value for at, value in self.scores if at <= epochs), default=math.inf)

    def reached(self, value: float) -> int | None:
        """The number of epochs until `value` was reached; None if it never was."""
        return next((at for at, one in self.scores if one <= value), None)


SearchMethod = Callable[[Grid, int, float], Trace]
"""Searches a grid, with a seed, for at least a number of epochs, or until all of it was tried."""


def stopped_early(values: list[float], patience: int = PATIENCE) -> list[float]:
    """The values up to where early stopping ends the training."""
    best = 0
    for step, value in enumerate(values):
        if value < values[best]:
            best = step
        if step - best >= patience:
            return values[: step + 1]
    return values


def sweep(make_sampler: Callable[[int], BaseSampler], make_pruner: Callable[[int], BasePruner]) -> SearchMethod:
    """A search by this sweeper's study, with a sampler made from a seed, and a pruner from a number of epochs."""

    def search(grid: Grid, seed: int, epochs: float) -> Trace:
        store, trace, pruner = _Memory(), Trace(), make_pruner(grid.epochs)
        rules = Rules(trials=len(grid.curves))
        shared_study = SharedStudy(store, f"replay_{seed}", "minimize", grid.space, rules, make_sampler, pruner, seed)
        while trace.epochs < epochs and (leased := shared_study.take()) is not None:
            values, state = _train(shared_study, leased, grid.curve(leased.values), pruner)
            shared_study.tell(leased.number, state, min(values))
            trace.add(values, state == TrialState.COMPLETE)
        return trace

    return search


def _train(
    shared_study: SharedStudy, leased: LeasedTrial, curve: Curve, pruner: BasePruner
) -> tuple[list[float], TrialState]:
    """Replays a training from its curve; returns the values it reached, and how it ended."""
    trial = AttachedTrial(shared_study.study.study_name, leased.number, shared_study.storage, pruner, "minimize")
    values = stopped_early(curve.values)
    for step in range(1, len(values)):  # the pruner is not asked at the last
        trial.report(min(values[:step]), step)
        prune, notes = trial.decide(step)
        trial.note(notes)
        if prune:
            return values[:step], TrialState.PRUNED
    trial.report(min(values), len(values))
    return values, TrialState.COMPLETE


class _Memory(StudyStorage):
    """A storage in the memory of this process."""

    def __init__(self) -> None:
        self.url, self.storage = "", InMemoryStorage()

    @contextmanager
    def turn(self, study: str) -> Iterator[None]:
        """A turn without waiting, since there is no other process."""
        yield


def one_epoch(grid: Grid, seed: int, epochs: float) -> Trace:
    """`FIRST` random configurations for one epoch each, then the best `KEPT` in full (arXiv 2307.15422)."""
    trace = Trace()
    drawn = random.Random(seed).sample(grid.curves, min(FIRST, len(grid.curves)))
    for curve in drawn:
        trace.add(curve.values[:1], complete=False)
    for curve in sorted(drawn, key=lambda one: one.values[0])[:KEPT]:
        trace.add(stopped_early(curve.values), complete=True, before=1)
    return trace


def halving(first: int, factor: int) -> Callable[[int], BasePruner]:
    """Successive halving without brackets, from `first` epochs."""
    return lambda _: SuccessiveHalvingPruner(min_resource=first, reduction_factor=factor)


def hyperband(first: int = 1, factor: int = 3) -> Callable[[int], BasePruner]:
    """Hyperband from `first` epochs; the default is Optuna's."""
    return lambda epochs: HyperbandPruner(min_resource=first, max_resource=epochs, reduction_factor=factor)


def tpe(seed: int) -> BaseSampler:
    """TPE, Optuna's default sampler."""
    return TPESampler(seed=seed)


def at_random(seed: int) -> BaseSampler:
    """Uniform random sampling."""
    return RandomSampler(seed=seed)


SEARCHES: dict[str, SearchMethod] = {
    "TPE in full": sweep(tpe, lambda _: NopPruner()),
    "TPE, Hyperband from epoch 1 (as shipped)": sweep(tpe, hyperband()),
    "TPE, Hyperband from epoch 3": sweep(tpe, hyperband(first=3)),
    "TPE, Hyperband from epoch 9": sweep(tpe, hyperband(first=9)),
    "TPE, successive halving from epoch 3": sweep(tpe, halving(3, 3)),
    "TPE, successive halving from epoch 9": sweep(tpe, halving(9, 3)),
    "TPE, successive halving from epoch 6 by factor 2": sweep(tpe, halving(6, 2)),
    "TPE, median rule from epoch 9": sweep(tpe, lambda _: MedianPruner(n_startup_trials=5, n_warmup_steps=9)),
    "random, Hyperband from epoch 1": sweep(at_random, hyperband()),
    f"one epoch of {FIRST}, the best {KEPT} of them in full": one_epoch,
    "random in full": sweep(at_random, lambda _: NopPruner()),
}
"""The first is the reference; the last may spend twice its epochs."""


def compare_searches(
    grid: Grid, seeds: Sequence[int], searches: Mapping[str, SearchMethod], trials: int = TRIALS
) -> dict[str, Any]:
    """The result of each search within the epochs that the first one takes for `trials`, and when it reaches its best.

    The last search continues to twice those epochs. Every list has one value per seed.
    """
    first, *_, last = searches
    results: dict[str, Any] = {}
    spent, targets = [trials * grid.epochs for _ in seeds], [math.inf for _ in seeds]
    for name, search in searches.items():
        share = 2 if name == last else 1
        traces = [search(grid, seed, share * epochs) for seed, epochs in zip(seeds, spent, strict=True)]
        if name == first:
            spent = [one.trials[trials - 1] for one in traces]
            targets = [one.best(epochs) for one, epochs in zip(traces, spent, strict=True)]
        budgets = {"half": 0.5, "same": 1.0, "twice": 2.0}
        results[name] = {
            "best": {
                part: [one.best(of * epochs) for one, epochs in zip(traces, spent, strict=True)]
                for part, of in budgets.items()
                if of <= share
            },
            "reached": [
                _within(one, value, share * epochs) for one, value, epochs in zip(traces, targets, spent, strict=True)
            ],
            "epochs_of_so_many_trials": [one.trials[:trials][-1] for one in traces],
        }
    return {"seeds": list(seeds), "trials": trials, "spent": spent, "targets": targets, "searches": results}


def _within(trace: Trace, value: float, epochs: int) -> int | None:
    reached = trace.reached(value)
    return reached if reached is not None and reached <= epochs else None


def rank_correlation(grid: Grid, epoch: int) -> float:
    """Spearman's correlation of the best values until `epoch` with those of the whole trainings."""
    early = [min(one.values[:epoch]) for one in grid.curves]
    end = [min(one.values) for one in grid.curves]
    first, last = (np.argsort(np.argsort(one)) for one in (early, end))
    return float(np.corrcoef(first, last)[0, 1])


def main() -> None:
    """The command line."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    curves, path = map(Path, sys.argv[1:3])
    grid = Grid(read_curves(curves))
    if len(grid.curves) < TRIALS:
        sys.exit(f"error: {curves}: {len(grid.curves)} curves; a comparison of searches needs at least {TRIALS}")
    facts = {
        "curves": curves.name,
        "axes": grid.axes,
        "epochs": grid.epochs,
        "patience": PATIENCE,
        "best": min(min(one.values) for one in grid.curves),
        "rank_correlation": {epoch: rank_correlation(grid, epoch) for epoch in (1, 3, 9) if epoch < grid.epochs},
    }
    result = facts | compare_searches(grid, SEEDS, SEARCHES)
    write_atomically(path, json.dumps(result, indent=1) + "\n")
    print(f"{len(SEARCHES)} searches of {len(grid.curves)} curves written into {path}")


if __name__ == "__main__":
    main()
