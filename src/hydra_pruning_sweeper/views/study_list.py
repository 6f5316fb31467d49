"""The studies in a folder: how each is doing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState
from rich.text import Text

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import ago, plural, printable, wrapped
from hydra_pruning_sweeper.study.addresses import is_remote
from hydra_pruning_sweeper.study.lease import LeaseWatch
from hydra_pruning_sweeper.study.record import RECORD, read_record
from hydra_pruning_sweeper.text_table import TextTable
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.views.recorded_sweep import (
    RecordedSweep,
    foreign_data_refused,
    formatted,
    open_sweep,
    state_of,
)
from hydra_pruning_sweeper.views.trial_table import table_console

STATES = {
    **{"complete": "complete", "pruned": "pruned", "fail": "failed"},
    **{"running": "running", "paused": "paused", "waiting": "waiting"},
}
"""State of a trial → how the table calls it."""
NONE_YET = "none yet"


@dataclass(frozen=True)
class StudyOverview:
    """How a study is doing.

    Args:
        name: its folder's name, by which commands find it.
        states: state → how many trials have it.
        planned: how many trials are to be complete or pruned in the end.
        best: the best value of a complete trial; of several objectives, how many Pareto trials there are; in words.
        last_active: when a trial last started, reported or ended, in seconds since the epoch; None if none ever did.
        is_starting: whether the first trial is about to begin.
    """

    name: str
    states: Counter[str]
    planned: int
    best: str
    last_active: float | None
    is_starting: bool


def overview(folder: Path, storage: str | None = None) -> StudyOverview:
    """The overview of the study in `folder`.

    Args:
        folder: the study's folder.
        storage: the address of its storage, which is needed only if that is on a server.

    Raises:
        UsageError: the study cannot be read.
    """
    with foreign_data_refused(folder):
        url = read_record(folder).storage
        sweep = open_sweep(folder, storage if url is None or is_remote(url) else None)
        trials, watch = sweep.trials(), LeaseWatch(60.0)
        states = Counter(state_of(one, watch) for one in trials)
        last = max((moment for one in trials for moment in _moments(folder, one)), default=None)
        return StudyOverview(folder.name, states, sweep.record.trials, _best_in_words(sweep), last, sweep.is_starting())


def _best_in_words(sweep: RecordedSweep) -> str:
    best = sweep.best_trials()
    if not best:
        return NONE_YET
    return plural(len(best), "Pareto trial") if sweep.has_several_objectives else formatted(best[0].value)


def _moments(folder: Path, trial: FrozenTrial) -> list[float]:
    """When a trial started and ended; of a running one, when its last event was written."""
    moments = [one.timestamp() for one in (trial.datetime_start, trial.datetime_complete) if one is not None]
    events = TrialEvents(folder / str(trial.number)).path
    if trial.state == TrialState.RUNNING and events.is_file():
        moments.append(events.stat().st_mtime)
    return moments


def print_studies(folder: Path, storage: str | None = None) -> bool:
    """Prints a table of the studies in the folders of `folder`, the last active first; returns whether there are any.

    A study that cannot be read stops nothing: a line below the table says why.
    """
    studies, unreadable = [], []
    for path in sorted(one.parent for one in folder.glob(f"*/{RECORD}")):
        try:
            studies.append(overview(path, storage))
        except UsageError as error:
            unreadable.append(str(error))
    console = table_console()
    if studies:
        studies.sort(key=lambda one: (one.is_starting, one.last_active or 0.0), reverse=True)
        _table(studies).show(console)
    for reason in unreadable:
        console.print(Text(wrapped(printable(reason), indent=2)))
    return bool(studies or unreadable)


def _table(studies: Sequence[StudyOverview]) -> TextTable:
    """A row per study, with a column per state that some trial has."""
    states = [state for state in STATES if any(one.states[state] for one in studies)]
    heads = ["study", *(STATES[state] for state in states), "planned", "best", "last active"]
    table = TextTable(heads, "l" + "r" * (len(heads) - 1))
    for one in studies:
        states_of = (str(one.states[state]) for state in states)
        table.add(one.name, *states_of, str(one.planned), one.best, _last_active(one))
    return table


def _last_active(study: StudyOverview) -> str:
    if study.last_active is None:
        return "starting" if study.is_starting else "not yet"
    return ago(time.time() - study.last_active)
