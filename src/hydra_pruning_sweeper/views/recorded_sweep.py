"""A sweep to look at: its record, its folder, and its trials as the storage has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import printable
from hydra_pruning_sweeper.study.addresses import is_remote
from hydra_pruning_sweeper.study.lease import LeaseWatch, lease_of, lives
from hydra_pruning_sweeper.study.pausing import is_paused
from hydra_pruning_sweeper.study.record import SweepRecord, read_record
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.events import TrialEvents, TrialProgress


class RecordedSweep:
    """A sweep: its record, its folder, and the storage that has its trials."""

    def __init__(self, record: SweepRecord, folder: Path, store: StudyStorage) -> None:
        self.record, self.folder, self.store = record, folder, store

    def trials(self) -> list[FrozenTrial]:
        """All trials."""
        storage = self.store.storage
        return storage.get_all_trials(storage.get_study_id_from_name(self.record.study), deepcopy=False)

    def best(self) -> FrozenTrial | None:
        """The best complete trial, the earliest among equals; None if there is none."""
        sign = 1 if self.record.direction == "minimize" else -1
        done = [one for one in self.trials() if one.state == TrialState.COMPLETE and one.value is not None]
        return min(done, key=lambda one: (sign * (one.value or 0.0), one.number), default=None)

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
        UsageError: there is no sweep, its storage is a server that is not named, or does not contain its study.
    """
    record = read_record(folder)
    url = storage or record.storage
    if url is None or (storage is None and is_remote(url)):
        where = "an address with a password" if url is None else printable(url)
        raise UsageError(f"{folder}: kept in {where}, which is opened only where it is typed: add storage=…")
    return RecordedSweep(record, folder, StudyStorage(url, record.study))


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


def last_value(trial: FrozenTrial) -> float | None:
    """A trial's value; of one that has not ended, the value that it reported last."""
    if trial.value is None and trial.last_step is not None:
        return trial.intermediate_values[trial.last_step]
    return trial.value


def formatted(value: Any) -> str:
    """A value as tables show it: numbers with four digits."""
    return f"{value:z.4g}" if isinstance(value, float) else printable(str(value))
