"""Search methods compared on recorded curves: `python -m hydra_pruning_sweeper.replay.compare FILE CURVES …`.

Nothing is trained, so a search takes seconds. Study, sampler and pruner are the code that a sweep runs; only the values
are read from a table. Cost is counted in epochs, with one trial running at a time.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.messages import plural
from hydra_pruning_sweeper.replay.curves import Curve, Grid, read_curves
from hydra_pruning_sweeper.replay.pause_and_promote import pause_and_promote
from hydra_pruning_sweeper.replay.traces import PATIENCE, SearchMethod, Trace, stopped_early
from hydra_pruning_sweeper.study.bandit import BanditPruner
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.rungs import a_third
from hydra_pruning_sweeper.study.shared_study import LeasedTrial, SharedStudy
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.attached_trial import AttachedTrial

TRIALS = 25  # of the reference search, whose cost and result the others are compared with
SEEDS = range(100, 120)  # the settings below were chosen with seeds 0 to 9
FIRST, KEPT = 100, 10  # configurations that are trained for one epoch, and the best of them that are trained in full
LONGEST = 2  # times the reference's epochs, after which a search that has not reached its result is given up
RESAMPLES = 2000  # of the seeds, for the interval of a median
KEPT_IN = Path("outputs/cache/replay")  # results of searches, until all are there


def sweep(make_sampler: Callable[[int], BaseSampler], make_pruner: Callable[[int], BasePruner]) -> SearchMethod:
    """A search by this sweeper's study, with a sampler made from a seed, and a pruner from a number of epochs."""

    def search(grid: Grid, seed: int, enough: Callable[[Trace], bool]) -> Trace:
        store, trace, pruner = _Memory(), Trace(), make_pruner(grid.epochs)
        rules = Rules(trials=len(grid.curves))
        shared_study = SharedStudy(store, f"replay_{seed}", "minimize", grid.space, rules, make_sampler, pruner, seed)
        while not enough(trace) and (leased := shared_study.take()) is not None:
            values, state = _train(shared_study, leased, grid.curve(leased.values), pruner)
            shared_study.tell(leased.number, state, min(values))
            trace.add(values, state == TrialState.COMPLETE)
        return trace

    return search


def _train(
    shared_study: SharedStudy, leased: LeasedTrial, curve: Curve, pruner: BasePruner
) -> tuple[list[float], TrialState]:
    """Replays a training from its curve; returns the values it reached, and how it ended."""
    trial = AttachedTrial(shared_study.study.study_name, leased.number, shared_study.storage, pruner)
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


def one_epoch(grid: Grid, seed: int, enough: Callable[[Trace], bool]) -> Trace:
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


def gp(seed: int) -> BaseSampler:
    """A Gaussian process; stopped trials are given to it by rank."""
    return GPSampler(seed=seed, deterministic_objective=True)


def bandit(epochs: int) -> BasePruner:
    """The bandit rule from a third of the epochs."""
    return BanditPruner(epochs, a_third(epochs))


def in_full(_: int) -> BasePruner:
    """No pruning."""
    return NopPruner()


SEARCHES: dict[str, SearchMethod] = {
    "TPE in full": sweep(tpe, in_full),
    "GP in full": sweep(gp, in_full),
    "random in full": sweep(at_random, in_full),
    "TPE, Hyperband from epoch 1 (as published)": sweep(tpe, hyperband()),
    "TPE, Hyperband from epoch 9": sweep(tpe, hyperband(first=9)),
    "GP, Hyperband from epoch 9": sweep(gp, hyperband(first=9)),
    "TPE, successive halving from epoch 9": sweep(tpe, halving(9, 3)),
    "TPE, median rule from epoch 9": sweep(tpe, lambda _: MedianPruner(n_startup_trials=5, n_warmup_steps=9)),
    "TPE, bandit rule from epoch 9": sweep(tpe, bandit),
    "GP, bandit rule from epoch 9": sweep(gp, bandit),
    "TPE, pause and promote from epoch 9": pause_and_promote(tpe, 9),
    "GP, pause and promote from epoch 9": pause_and_promote(gp, 9),
    f"one epoch of {FIRST}, the best {KEPT} of them in full": one_epoch,
}
"""The first is the reference."""


class KeptResults:
    """Results of searches, each in a file as soon as it is known: a comparison that was stopped goes on from there.

    Args:
        folder: the folder of the files.
        key: what the results depend on: those of another key are not taken.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key

    def get(self, name: str) -> dict[str, Any] | None:
        """The result of a search; None if there is none of the same key."""
        try:
            content = json.loads(self._file(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content["result"] if content["key"] == self.key else None

    def put(self, name: str, result: Mapping[str, Any]) -> None:
        """Keeps the result of a search."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file(name), json.dumps({"key": self.key, "result": result}))

    def _file(self, name: str) -> Path:
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


def compare_searches(
    grid: Grid,
    seeds: Sequence[int],
    searches: Mapping[str, SearchMethod],
    trials: int = TRIALS,
    cache: KeptResults | None = None,
) -> dict[str, Any]:
    """What each search finds in the epochs that the first one takes for so many trials, and when it finds as much.

    `budget` is the median of those epochs over the seeds, `target` the median of the best values that the first search
    has found after so many trials. A search that has not come to the target by then goes on to `LONGEST` times
    the budget. Lists have one value per seed.
    """
    first = next(iter(searches.values()))
    references = [first(grid, seed, lambda trace: len(trace.trials) >= trials) for seed in seeds]
    budget = round(median(one.epochs for one in references))
    target = median(one.best(one.epochs) for one in references)

    def enough(trace: Trace) -> bool:
        return trace.epochs >= (budget if trace.reached(target) is not None else LONGEST * budget)

    def result_of(search: SearchMethod) -> dict[str, Any]:
        traces = [search(grid, seed, enough) for seed in seeds]
        reached = [_within(one, target, LONGEST * budget) for one in traces]
        return {
            "half": [_finite(one.best(budget / 2)) for one in traces],
            "same": [_finite(one.best(budget)) for one in traces],
            "reached": reached,
            "interval": interval(reached),
        }

    results: dict[str, Any] = {}
    for name, search in searches.items():
        if cache is None or (result := cache.get(name)) is None:
            result = result_of(search)
            if cache is not None:
                cache.put(name, result)
        results[name] = result
        print(f"{name}: {median_epochs(result['reached']):.0f} of {budget} epochs", file=sys.stderr, flush=True)
    return {"budget": budget, "target": target, "searches": results}


def median_epochs(reached: Sequence[int | None]) -> float:
    """The median of epochs; None counts as infinite."""
    return median(math.inf if one is None else one for one in reached)


def interval(reached: Sequence[int | None]) -> list[float | None]:
    """A 95 % interval of the median over seeds, by resampling them; None where it is infinite."""
    draw = random.Random(0)
    medians = sorted(median_epochs(draw.choices(reached, k=len(reached))) for _ in range(RESAMPLES))
    ends = (medians[round(0.025 * RESAMPLES)], medians[round(0.975 * RESAMPLES) - 1])
    return [_finite(one) for one in ends]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _within(trace: Trace, value: float, epochs: int) -> int | None:
    reached = trace.reached(value)
    return reached if reached is not None and reached <= epochs else None


def rank_correlation(grid: Grid, epoch: int) -> float:
    """Spearman's correlation of the best values until `epoch` with those of the whole trainings."""
    early = [min(one.values[:epoch]) for one in grid.curves]
    end = [min(one.values) for one in grid.curves]
    first, last = (np.argsort(np.argsort(one)) for one in (early, end))
    return float(np.corrcoef(first, last)[0, 1])


def compare_task(path: Path) -> dict[str, Any]:
    """The comparison on a file of curves; `curves_NAME.jsonl` are those of the task NAME."""
    grid = Grid(read_curves(path))
    if len(grid.curves) < TRIALS:
        sys.exit(f"error: {path}: {len(grid.curves)} curves; a comparison of searches needs at least {TRIALS}")
    facts = {
        "task": path.stem.removeprefix("curves_"),
        "axes": grid.axes,
        "epochs": grid.epochs,
        "best": min(min(one.values) for one in grid.curves),
        "rank_correlation": {epoch: rank_correlation(grid, epoch) for epoch in (1, 3, 9) if epoch < grid.epochs},
    }
    key = hashlib.sha256(path.read_bytes() + _own_code()).hexdigest()
    return facts | compare_searches(grid, SEEDS, SEARCHES, cache=KeptResults(KEPT_IN / path.stem, key))


def _own_code() -> bytes:
    """All code of this package, on which the results of searches depend."""
    return b"".join(file.read_bytes() for file in sorted(Path(__file__).parents[1].rglob("*.py")))


def _quietly() -> None:
    """What a process that searches does not say."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def main() -> None:
    """The command line."""
    path, *curves = map(Path, sys.argv[1:])
    with ProcessPoolExecutor(initializer=_quietly) as pool:
        tasks = list(pool.map(compare_task, curves))
    result = {"patience": PATIENCE, "trials": TRIALS, "seeds": list(SEEDS), "tasks": tasks}
    write_atomically(path, json.dumps(result, indent=1) + "\n")
    print(f"{len(SEARCHES)} searches on {plural(len(curves), 'task')} written into {path}")


if __name__ == "__main__":
    main()
