"""Training and searching from Python, in this process, with the overrides of the command line."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.names import NAMES
from seqlab import paths
from seqlab.cli import call_task, import_from_here, prepare, reason_of
from seqlab.command_line import PRIMARY
from seqlab.errors import Carried, InputError, StoppedError
from seqlab.folders import leave_nothing
from seqlab.private_parts import HydraApart, hydra_apart
from seqlab.typed_arguments import added, check_spelling, nulls_named

if TYPE_CHECKING:  # imported where they are used: the table of a study needs no torch
    from seqlab.inference.predictor import Predictor
    from seqlab.runs.result import RunResult


CONFIG_DIR = "--config-dir="
SEARCHES = ("sweeps=", "hydra/sweeper=pruning")


@dataclass(frozen=True)
class TrainedRun:
    """A run that has ended.

    Args:
        folder: the run's folder.
        best: the best value of the monitored validation metric; None without a validation split.
    """

    folder: Path
    best: float | None

    @property
    def result(self) -> RunResult:
        """The content of its `result.json`.

        Raises:
            InputError: it was not measured (`measure=false`).
        """
        from seqlab.runs.result import RunResult

        return RunResult.read(self.folder)

    @property
    def metrics(self) -> Mapping[str, Mapping[str, float | None]]:
        """Its metrics by split, then by name: `metrics["test"]["free_running/exact_match"]`."""
        return self.result.metrics

    def load(self, trust: Sequence[str] = ()) -> Predictor:
        """The trained model, to predict with: see `seqlab.load`."""
        from seqlab.inference.bundle import load

        return load(self.folder, trust)


@dataclass(frozen=True)
class FoundSettings:
    """What a search came to.

    Args:
        folder: the study's folder.
        best: the values of the best trial by name; of several objectives, of the first Pareto trial. Empty if no trial
            is complete.
        value: the value of the best trial, or its values; None if no trial is complete.
        overrides: what `train` takes to train those settings in full: `train(*found.overrides)`.
        trials: a row for each trial: number, state, value, and its values by name.
    """

    folder: Path
    best: Mapping[str, Any]
    value: float | Sequence[float] | None
    overrides: Sequence[str]
    trials: Sequence[Mapping[str, Any]]


def train(
    overrides: Sequence[str], expanded: Callable[[list[str]], list[str]], task: Callable[[DictConfig], Any]
) -> TrainedRun:
    """See `seqlab.train.from_python`.

    Args:
        expanded: replaces `resume=` by what it stands for; may go to the folder where the run was started.
    """
    folder = Path.cwd()
    try:
        typed = expanded(list(overrides))
        with _as_command(["seqlab-train", *typed]):
            value, output = _call_hydra(typed, lambda apart, words: apart.run(PRIMARY, words, _leaving_nothing(task)))
        return TrainedRun(output, value if isinstance(value, float) else None)
    finally:
        os.chdir(folder)


def search(overrides: Sequence[str], task: Callable[[DictConfig], Any]) -> FoundSettings:
    """See `seqlab.sweep.from_python`."""
    with _as_command(["seqlab-train", "-m", *overrides]):
        _, folder = _call_hydra(list(overrides), lambda apart, words: _run_search(apart, words, task))
    return _found_settings(folder)


def _call_hydra(
    overrides: Sequence[str], call: Callable[[HydraApart, list[str]], tuple[Any, Path]]
) -> tuple[Any, Path]:
    """Calls Hydra, with its errors in one line."""
    flags = [one for one in overrides if one.startswith("-")]
    typed = added([one for one in overrides if one not in flags], "hydra.sweeper")
    folders = [Path(one.removeprefix(CONFIG_DIR)).resolve() for one in flags if one.startswith(CONFIG_DIR)]
    try:
        if others := [one for one in flags if not one.startswith(CONFIG_DIR)]:
            raise InputError(f"{others[0]}: of the flags of the command line, Python takes {CONFIG_DIR}FOLDER alone")
        check_spelling(typed)
        with hydra_apart(paths.config_dir(), folders) as apart:
            return call(apart, nulls_named(typed, PRIMARY))
    except (Carried, HydraException, OmegaConfBaseException, StoppedError) as stop:
        error = stop.error if isinstance(stop, Carried) else stop
        if isinstance(error, StoppedError):
            raise KeyboardInterrupt(str(error)) from None
        if isinstance(error, (HydraException, OmegaConfBaseException)):
            raise InputError(reason_of(error, PRIMARY)) from error
        raise error from None


def _leaving_nothing(task: Callable[[DictConfig], Any]) -> Callable[[DictConfig], Any]:
    """The task, which removes the folder of a run that could not begin."""

    def run(config: DictConfig) -> Any:
        try:
            return call_task(task, config)
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, UsageError | StoppedError | KeyboardInterrupt):
                leave_nothing(Path(HydraConfig.get().runtime.output_dir))
            if isinstance(error, KeyboardInterrupt):
                raise
            raise Carried(error) from error  # of an Exception Hydra would print the overrides

    return run


def _run_search(apart: HydraApart, words: list[str], task: Callable[[DictConfig], Any]) -> tuple[Any, Path]:
    if not any(word.lstrip("+").startswith(SEARCHES) for word in words):
        raise InputError("sweep: say what to search, as in sweep('+sweeps=reversal_bahdanau')")
    return apart.multirun(PRIMARY, words, task)


@contextlib.contextmanager
def _as_command(words: Sequence[str]) -> Iterator[None]:
    """A block in which the process looks as if a line had been typed: messages and trials name that command."""
    import_from_here()
    prepare()
    before, raised = sys.argv[:], NAMES.raises
    sys.argv[:], NAMES.raises = words, True
    try:
        yield
    finally:
        sys.argv[:], NAMES.raises = before, raised


def _found_settings(folder: Path) -> FoundSettings:
    from hydra_pruning_sweeper.study.trial_command import command_of
    from hydra_pruning_sweeper.views.recorded_sweep import open_sweep

    study = open_sweep(folder)
    trials = [
        {"trial": one.number, "state": one.state.name.lower(), "value": one.values, **one.params}
        for one in study.trials()
    ]
    if not study.has_several_objectives:
        trials = [row | {"value": row["value"][0] if row["value"] else None} for row in trials]
    best = study.best_trials()
    if not best:
        return FoundSettings(folder, {}, None, [], trials)
    line = command_of(best[0].user_attrs)
    overrides = [] if line is None else [*line.fixed, *line.own]
    value = best[0].values if study.has_several_objectives else best[0].values[0]
    return FoundSettings(folder, dict(best[0].params), value, overrides, trials)
