"""Commands on the study of a sweep: status, best, plot, retry, repair."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from optuna.trial import TrialState
from rich.text import Text

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import either, plural, printable, wrapped
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.study.journal import repair as repair_journal
from hydra_pruning_sweeper.study.pausing import is_paused
from hydra_pruning_sweeper.study.record import read_record
from hydra_pruning_sweeper.study.rules import RETRY, failed_for_good
from hydra_pruning_sweeper.study.shared_study import ERROR
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep, foreign_data_refused, open_sweep
from hydra_pruning_sweeper.views.study_list import NONE_YET
from hydra_pruning_sweeper.views.sweep_summary import BEST, about_pauses, how_to_run, write_summary
from hydra_pruning_sweeper.views.trial_table import table_console, trial_table

STARTING = "no trial yet: the first one is starting"
NOT_BEGUN = "no trial yet: the line that began the search starts the first one"
ACTIONS = ("status", "best", "plot", "retry", "repair")


def run(action: str, folder: Path, storage: str | None = None) -> None:
    """Runs a command on the sweep in `folder`; `storage` is the address of its storage, if that is a server.

    Raises:
        UsageError: there is no such command, no sweep in `folder`, or nothing to do.
    """
    if action not in ACTIONS:
        raise UsageError(f"the action of {NAMES.command} must be {either(ACTIONS)}, but is {action!r}")
    if action == "repair":
        return repair(folder, storage)
    sweep = open_sweep(folder, storage)
    if action == "retry":
        sweep = RecordedSweep(sweep.record, folder, StudyStorage(sweep.store.url))  # opened again, for writing
    with foreign_data_refused(folder):
        {"status": status, "best": best, "plot": plot, "retry": retry}[action](sweep)
    return None


def status(sweep: RecordedSweep) -> None:
    """Prints a table of all trials, the best value, and why trials failed."""
    console, trials = table_console(), sweep.trials()
    if not trials:
        return console.print(wrapped(NOT_BEGUN if not sweep.is_starting() else STARTING))
    trial_table(sweep, console.width).show(console)
    finished = sum(one.state in (TrialState.COMPLETE, TrialState.PRUNED) for one in trials)
    failed, paused = failed_for_good(trials), sum(map(is_paused, trials))
    console.print()
    counts = f"{finished} of {sweep.record.trials} trials finished, {f'{paused} paused, ' if paused else ''}"
    console.print(wrapped(f"{counts}{len(failed)} failed; best: {sweep.best_in_words() or NONE_YET}"))
    if (sentence := about_pauses(trials)) is not None:
        console.print(wrapped(sentence))
    for one in failed:
        reason = one.user_attrs.get(ERROR, "no reason is recorded")
        console.print(Text(wrapped(f"trial {one.number} failed: {printable(str(reason))}", indent=2)))
    return None


def best(sweep: RecordedSweep) -> None:
    """Writes the summary again, and prints the best configuration and the command that runs it; of several objectives,
    the values of each Pareto trial and the command that runs it.

    Raises:
        UsageError: no trial is complete.
    """
    lines = write_summary(sweep)
    if not lines:
        raise UsageError(f"{sweep.folder}: no trial is complete yet")
    if not sweep.has_several_objectives:
        print((sweep.folder / BEST).read_text(encoding="utf-8"))
    for text in how_to_run(sweep, lines):
        print(text)


def plot(sweep: RecordedSweep) -> None:
    """Writes the plots, and prints their paths; Matplotlib is imported only here.

    Raises:
        UsageError: Matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError(f"plots need matplotlib, which is not installed; type {NAMES.install_matplotlib}")
    from hydra_pruning_sweeper.views.sweep_plots import write_plots

    for path in write_plots(sweep):
        print(path)


def retry(sweep: RecordedSweep) -> None:
    """Marks failed trials to be retried when the sweep is started again.

    Raises:
        UsageError: none has failed.
    """
    failed = failed_for_good(sweep.trials())
    if not failed:
        raise UsageError(f"{sweep.folder}: no trial has failed for good")
    storage = sweep.store.storage
    study = storage.get_study_id_from_name(sweep.record.study)
    numbers = [one.number for one in failed]
    storage.set_study_user_attr(study, RETRY, [*storage.get_study_user_attrs(study).get(RETRY, ()), *numbers])
    shown = ", ".join(map(str, numbers))
    print(wrapped(f"{plural(len(failed), 'trial')} ({shown}) will be tried again when the sweep is started again"))


def repair(folder: Path, storage: str | None) -> None:
    """Removes unreadable lines from the study's journal.

    Raises:
        UsageError: the study is not kept in a journal.
    """
    url = storage or read_record(folder).storage
    if url is None or "://" in url:
        raise UsageError(f"{folder}: kept in a database, which repairs itself; only journals are repaired")
    if not Path(url).is_file():
        raise UsageError(f"{url}: no such journal")
    damaged = repair_journal(Path(url))
    removed = f"{plural(damaged, 'damaged line')} removed; a copy is in {url}.damaged"
    print(wrapped(removed) if damaged else "nothing is damaged")
