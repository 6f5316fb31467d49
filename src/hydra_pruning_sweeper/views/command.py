"""Commands on the study of a sweep: status, best, plot, retry, repair."""

from __future__ import annotations

from pathlib import Path

from optuna.trial import TrialState
from rich.console import Console
from rich.text import Text

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import plural, printable
from hydra_pruning_sweeper.names import COMMAND
from hydra_pruning_sweeper.study.journal import repair as repair_journal
from hydra_pruning_sweeper.study.lease import LeaseWatch, lease_of
from hydra_pruning_sweeper.study.record import read_record
from hydra_pruning_sweeper.study.shared_study import ERROR, RETRY, failed_for_good
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.text_table import TextTable
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep, formatted, open_sweep
from hydra_pruning_sweeper.views.sweep_summary import BEST, write_summary

ACTIONS = ("status", "best", "plot", "retry", "repair")


def run(action: str, folder: Path, storage: str | None = None) -> None:
    """Runs a command on the sweep in `folder`; `storage` is the address of its storage, if that is a server.

    Raises:
        UsageError: there is no such command, no sweep in `folder`, or nothing to be done.
    """
    if action not in ACTIONS:
        raise UsageError(
            f"the action of {COMMAND} must be {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}, but is {action!r}"
        )
    if action == "repair":
        return repair(folder, storage)
    sweep = open_sweep(folder, storage)
    if action == "retry":
        sweep = RecordedSweep(sweep.record, folder, StudyStorage(sweep.store.url))  # opened again, for writing
    try:
        {"status": status, "best": best, "plot": plot, "retry": retry}[action](sweep)
    except (TypeError, KeyError, AttributeError, LookupError) as error:
        reason = printable(f"{type(error).__name__}: {error}")
        raise UsageError(f"{folder}: its study contains data that no sweep writes ({reason})") from None
    return None


def status(sweep: RecordedSweep) -> None:
    """Prints a table of all trials."""
    trials, best_trial = sweep.trials(), sweep.best()
    console = Console(highlight=False, soft_wrap=True)
    names = sweep.parameters()
    heads = ["trial", "state", "step", "value", *names]
    table = TextTable(heads, "r" * len(heads))
    watch = LeaseWatch(60.0)
    for one in trials:
        state = one.state.name.lower()
        if one.state == TrialState.RUNNING and watch.has_expired(one.number, lease_of(one.user_attrs)):
            state = "waiting"  # for a controller that continues it
        at = one.intermediate_values.get(one.last_step) if one.last_step is not None else None
        value = one.value if one.value is not None else at
        shown = [formatted(one.params.get(name, "")) for name in names]
        tied = best_trial is not None and one.state == TrialState.COMPLETE and one.value == best_trial.value
        mark = " *" if tied else ""
        cells = (f"{one.number}{mark}", state, str(one.last_step or 0), "" if value is None else formatted(value))
        table.add(*cells, *shown, style="dim" if state == "fail" else None)
    table.show(console)
    finished = sum(one.state in (TrialState.COMPLETE, TrialState.PRUNED) for one in trials)
    console.print(f"\n{finished} of {sweep.record.trials} trials finished, {len(failed_for_good(trials))} failed")
    for one in failed_for_good(trials):
        console.print(Text(f"trial {one.number} failed: {printable(str(one.user_attrs.get(ERROR)))}"))


def best(sweep: RecordedSweep) -> None:
    """Writes the summary again, and prints the best configuration and the command that runs it.

    Raises:
        UsageError: no trial is complete.
    """
    line = write_summary(sweep)
    if line is None:
        raise UsageError(f"{sweep.folder}: no trial is complete yet")
    print((sweep.folder / BEST).read_text(encoding="utf-8"), end="")
    print(f"\nrun it with {line}")


def plot(sweep: RecordedSweep) -> None:
    """Writes the plots, and prints their paths; Matplotlib is imported only here."""
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
    print(f"{plural(len(failed), 'trial')} ({shown}) will be tried again when the sweep is started again")


def repair(folder: Path, storage: str | None) -> None:
    """Removes unreadable lines from the study's journal.

    Raises:
        UsageError: the study is not kept in a journal.
    """
    kept = storage or read_record(folder).storage
    if kept is None or "://" in kept:
        raise UsageError(f"{folder}: kept in a database, which repairs itself; only journals are repaired")
    if not Path(kept).is_file():
        raise UsageError(f"{kept}: no such journal")
    damaged = repair_journal(Path(kept))
    print(
        f"{plural(damaged, 'damaged line')} removed; a copy is in {kept}.damaged" if damaged else "nothing is damaged"
    )
