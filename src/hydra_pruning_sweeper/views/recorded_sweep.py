"""A sweep to look at: its record, its folder, and its trials as the storage has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import plural, printable
from hydra_pruning_sweeper.objectives import directions_of, names_of, pareto_front
from hydra_pruning_sweeper.study.addresses import is_remote
from hydra_pruning_sweeper.study.lease import LeaseWatch, lease_of, lives
from hydra_pruning_sweeper.study.pausing import is_paused
from hydra_pruning_sweeper.study.record import RECORD, SweepRecord, read_record
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.events import TrialEvents, TrialProgress

COUNTED_UP_TO = 1e12  # from there on, counts have exponents


class RecordedSweep:
    """A sweep: its record, its folder, and the storage that has its trials."""

    def __init__(self, record: SweepRecord, folder: Path, store: StudyStorage) -> None:
        self.record, self.folder, self.store = record, folder, store

    def trials(self) -> list[FrozenTrial]:
        """All trials."""
        storage = self.store.storage
        return storage.get_all_trials(storage.get_study_id_from_name(self.record.study), deepcopy=False)

    @property
    def objectives(self) -> list[str]:
        """The objectives' names; `value` where there is only one."""
        return names_of(self.record.direction)

    @property
    def has_several_objectives(self) -> bool:
        """Whether a trial has several values, and a Pareto front is what is best."""
        return len(self.objectives) > 1

    def best_trials(self) -> list[FrozenTrial]:
        """The best complete trial, the earliest among equals; of several objectives the Pareto trials, which no other
        one dominates. Empty if no trial is complete.
        """
        done = [one for one in self.trials() if one.state == TrialState.COMPLETE and one.values is not None]
        directions = directions_of(self.record.direction)
        front = [done[place] for place in pareto_front([one.values for one in done], directions)]
        return front if self.has_several_objectives else front[:1]

    def best_in_words(self, listed: int = 8) -> str | None:
        """The best value and its trial, or how many Pareto trials there are, and which if they are at most `listed`;
        None if no trial is complete.
        """
        best = self.best_trials()
        if not best:
            return None
        if not self.has_several_objectives:
            return f"{formatted(best[0].value)} (trial {best[0].number})"
        numbers = f" ({', '.join(str(one.number) for one in best)})" if len(best) <= listed else ""
        return f"{plural(len(best), 'Pareto trial')}{numbers}"

    def in_words(self, values: Sequence[float]) -> str:
        """A trial's value, or those of its objectives with their names."""
        if not self.has_several_objectives:
            return formatted(values[0])
        return ", ".join(f"{name}={_in_full(one)}" for name, one in zip(self.objectives, values, strict=True))

    def progress(self, number: int) -> TrialProgress:
        """A trial's progress, from the events in its folder."""
        return TrialEvents(self.folder / str(number)).read()

    def is_starting(self) -> bool:
        """Whether a process of this machine is about to begin the first trial."""
        return not self.trials() and bool(self.record.controller) and lives((*self.record.controller,))

    def parameters(self) -> list[str]:
        """The names of all parameters that some trial has."""
        return list(dict.fromkeys(name for one in self.trials() for name in one.params))


def open_sweep(folder: Path, storage: str | None = None) -> RecordedSweep:
    """The sweep in `folder`, opened read-only; `storage` is the address of its storage, if that is a server.

    A server's address must be typed: a file that came from somewhere must not decide which servers are contacted.

    Raises:
        UsageError: there is no sweep, its storage is a server that is not named, or does not contain its study, or the
            study has other objectives.
    """
    record = read_record(folder)
    url = storage or record.storage
    if url is None or (storage is None and is_remote(url)):
        where = "an address with a password" if url is None else printable(url)
        raise UsageError(f"{folder}: kept in {where}, which is opened only where it is typed: add storage=…")
    store = StudyStorage(url, record.study)
    directions = store.storage.get_study_directions(store.storage.get_study_id_from_name(record.study))
    if [one.name.lower() for one in directions] != directions_of(record.direction):
        raise UsageError(f"{folder}: its study has other objectives than {RECORD} says")
    return RecordedSweep(record, folder, store)


@contextmanager
def foreign_data_refused(folder: Path) -> Iterator[None]:
    """A block that reads the study in `folder`, which may contain anything.

    Raises:
        UsageError: the block failed because of data that no sweep writes.
    """
    try:
        yield
    except (TypeError, AttributeError, LookupError) as error:
        reason = printable(f"{type(error).__name__}: {error}")
        raise UsageError(f"{folder}: its study contains data that no sweep writes ({reason})") from None


def state_of(trial: FrozenTrial, watch: LeaseWatch) -> str:
    """A trial's state in a word: `paused` at a rung, `waiting` if it is to be continued and no controller runs it."""
    if is_paused(trial):
        return "paused"
    if trial.state == TrialState.RUNNING and watch.has_expired(trial.number, lease_of(trial.user_attrs)):
        return "waiting"
    return trial.state.name.lower()


def shown_values(sweep: RecordedSweep, trial: FrozenTrial) -> list[str]:
    """A trial's value as tables show it, or those of its objectives. While it runs, there is the value that it reported
    last, but not for several objectives.
    """
    if sweep.has_several_objectives:
        return list(map(_in_full, trial.values)) if trial.values else [""] * len(sweep.objectives)
    value = last_value(trial)
    return ["" if value is None else formatted(value)]


def _in_full(value: float) -> str:
    """A value of one of several objectives, which may be a count, such as that of parameters: all of its digits."""
    return str(int(value)) if value.is_integer() and abs(value) < COUNTED_UP_TO else formatted(value)


def last_value(trial: FrozenTrial) -> float | None:
    """A trial's only value; of one that has not ended, the value that it reported last."""
    if trial.value is None and trial.last_step is not None:
        return trial.intermediate_values[trial.last_step]
    return trial.value


def formatted(value: Any) -> str:
    """A value as tables show it: numbers with four digits."""
    return f"{value:z.4g}" if isinstance(value, float) else printable(str(value))
