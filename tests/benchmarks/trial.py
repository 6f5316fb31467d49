"""What a sweep adds to a run: a trial as a controller starts it beside the same run, forked from the same server."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import optuna
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from benchmarks.first_step import STARTED, seconds_in
from benchmarks.harness import Done, Row, Spread, alternate
from benchmarks.workloads import CACHE, ROOT
from hydra_pruning_sweeper.execution.controller import Controller, Plan
from hydra_pruning_sweeper.execution.executor import ForkExecutor, Job
from hydra_pruning_sweeper.execution.observer import SweepObserver
from hydra_pruning_sweeper.execution.slot_count import SlotCount
from hydra_pruning_sweeper.execution.slots import slot_environment, slot_threads
from hydra_pruning_sweeper.run_sweep import HOOK, PRELOAD
from hydra_pruning_sweeper.search_from_config import settings_from
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.sampler import sampler_factory
from hydra_pruning_sweeper.study.shared_study import LeasedTrial, SharedStudy
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.study.storage import StudyStorage, store_url
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings
from hydra_pruning_sweeper.trial.context import TrialContext
from hydra_pruning_sweeper.trial.events import LOG
from seqlab import paths

SWEEP = "+sweeps=reversal_bahdanau"
BARE = ("experiment=reversal_bahdanau", "callbacks=early_stopping")  # what the sweep makes of the configuration
RUN = (  # one step, and one validation for a pruner to look at
    "trainer=cpu",
    "trainer.max_epochs=1",
    "+trainer.limit_train_batches=1",
    "+trainer.limit_val_batches=1",
    "+callbacks.first_step._target_=benchmarks.first_step.FirstStep",
    f"data.cache={CACHE}",
)
STUDY = "bench"


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows."""
    with initialize_config_dir(str(paths.config_dir()), version_base="1.3"):
        sweeper = settings_from(compose("train", [SWEEP], return_hydra_config=True))
    modules = os.pathsep.join(map(str, (ROOT / "tests", ROOT / "src")))
    environment = {**slot_environment(0, slot_threads(1), ()), "PYTHONPATH": modules}
    server = SharedServer(
        sweeper.entry, "seqlab-train", [PRELOAD, *sweeper.preload, "benchmarks.first_step"], environment
    )
    try:
        with tempfile.TemporaryDirectory() as place:
            bare, trials = Bare(server, Path(place, "bare"), sweeper), Trials(server, Path(place, "study"), sweeper)
            timings = alternate(
                {"trial": trials, "bare": bare}, 0.0 if quick else 10.0, warmup=1, least=1 if quick else 4
            )
    finally:
        server.end()
    added, ends = timings.difference("trial", "bare"), Spread.of(trials.ends)
    return [
        Row(
            benchmark=name,
            work="a trial of `reversal_bahdanau` in a sweep, from ask to first step",
            beside="the same run started bare, libraries imported",
            unit="s",
            ours=timings.seconds("trial"),
            theirs=timings.seconds("bare"),
            aim="≤ 0.3 s more",
            met=added.median <= 0.3,
            note=f"the sweep adds {added.median:.2f} s ({added.low:.2f} to {added.high:.2f}) before the first step;"
            f" from the last step until the study is told it takes {ends.median:.2f} s",
        )
    ]


class SharedServer(ForkExecutor):
    """Outlives the controllers that use it, of which each turn has its own."""

    def close(self) -> None:
        """Nothing: see `end`."""

    def end(self) -> None:
        """Ends it."""
        super().close()


class Bare:
    """A side: the run as it would be typed."""

    def __init__(self, server: SharedServer, folder: Path, sweeper: SweeperSettings) -> None:
        self.server, self.folder, self.sweeper = server, folder, sweeper

    def __call__(self, turn: int) -> Done:
        """Seconds from starting it to its first step."""
        folder = self.folder / str(turn)
        line = [*BARE, *RUN, *self.sweeper.trial, "optimizer.lr=0.001", f"hydra.run.dir='{folder}'"]
        self.server.start(Job(turn, line, folder, {STARTED: str(time.perf_counter())}))
        (ended,) = self.server.wait(60.0)
        log = (folder / LOG).read_text(encoding="utf-8")
        assert ended.code == 0, log
        return Done(1.0, seconds_in(log))


class Trials:
    """A side: the next trial of a study, by a controller.

    Attributes:
        ends: seconds from a trial's last step until the study was told.
    """

    def __init__(self, server: SharedServer, folder: Path, sweeper: SweeperSettings) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.server, self.folder, self.sweeper = server, folder, sweeper
        self.ends: list[float] = []
        folder.mkdir()
        store = StudyStorage(store_url(None, folder))
        self.shared_study = SharedStudy(
            store,
            STUDY,
            "minimize",
            Space([parameter("optimizer.lr", str(sweeper.params["optimizer.lr"]))]),
            Rules(0),
            sampler_factory(instantiate(sweeper.sampler, _partial_=True)),
            instantiate(sweeper.pruner),
        )
        self.trial_context = TrialContext(STUDY, store.url, pruner=sweeper.pruner)

    def __call__(self, turn: int) -> Done:
        """Seconds from asking for it to its first step."""
        self.shared_study.rules = Rules(turn + 1, retries=0, failures=0.0)
        started = {STARTED: str(time.perf_counter())}
        plan = Plan(self.folder, SlotCount(1), self.arguments, self.trial_context, lambda slot: started)
        controller = Controller(self.shared_study, self.server, plan, SweepObserver())
        controller.run()
        ((_, end),) = controller.use.overheads
        self.ends.append(end)
        return Done(1.0, seconds_in((self.folder / str(turn) / LOG).read_text(encoding="utf-8")))

    def arguments(self, leased: LeasedTrial, folder: Path) -> list[str]:
        """The command line of a trial, as a sweep writes it."""
        own = self.shared_study.space.arguments(leased.values)
        return [SWEEP, *RUN, *self.sweeper.trial, *own, f"hydra.run.dir='{folder}'", HOOK]
