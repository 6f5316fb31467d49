"""What a sweep keeps about itself in its folder, so that other commands find the study and know what was searched."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from seqlab.errors import InputError
from seqlab.files import write_atomically
from seqlab.sweeping.events import Events, Progress
from seqlab.sweeping.storage import Store

RECORD = "sweep.json"


@dataclass(frozen=True)
class Record:
    """A sweep, as it was asked for.

    Args:
        study: its name.
        storage: where it is kept; None where that holds a password.
        direction: "minimize" or "maximize".
        trials: how many it is to have.
        rungs: steps at which trials may be pruned.
        program: the command that was typed.
        config_name, flags: which configuration, and where else configurations are.
        fixed: overrides that all trials share.
        choices: group → option, of the configuration without a trial's own.
    """

    study: str
    storage: str | None
    direction: str
    trials: int
    rungs: list[int] = field(default_factory=list)
    program: str = ""
    config_name: str = ""
    flags: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    choices: dict[str, str | None] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Keeps it."""
        write_atomically(folder / RECORD, json.dumps(asdict(self), indent=1) + "\n")


def read_record(folder: Path) -> Record:
    """The sweep in `folder`.

    Raises:
        InputError: there is none.
    """
    path = folder / RECORD
    if not path.is_file():
        raise InputError(f"{folder}: no sweep here (no {RECORD})")
    return Record(**json.loads(path.read_text(encoding="utf-8")))


class Sweep:
    """A sweep to look at: its record, its trials as the storage has them, and its folder."""

    def __init__(self, record: Record, folder: Path, store: Store) -> None:
        self.record, self.folder, self.store = record, folder, store

    def trials(self) -> list[FrozenTrial]:
        """All trials."""
        storage = self.store.storage
        return storage.get_all_trials(storage.get_study_id_from_name(self.record.study), deepcopy=False)

    def best(self) -> FrozenTrial | None:
        """The best complete trial."""
        sign = 1 if self.record.direction == "minimize" else -1
        done = [one for one in self.trials() if one.state == TrialState.COMPLETE and one.value is not None]
        return min(done, key=lambda one: (sign * (one.value or 0.0), one.number), default=None)

    def progress(self, number: int) -> Progress:
        """What a trial has written down."""
        return Events(self.folder / str(number)).read()

    def parameters(self) -> list[str]:
        """All that was searched."""
        return list(dict.fromkeys(name for one in self.trials() for name in one.params))


def open_sweep(folder: Path, storage: str | None = None) -> Sweep:
    """The sweep in `folder`; `storage` says where it is kept, if its record may not.

    Raises:
        InputError: there is none, or nothing says where it is kept.
    """
    record = read_record(folder)
    url = storage or record.storage
    if url is None:
        raise InputError(f"{folder / RECORD} holds no password: add storage=…")
    return Sweep(record, folder, Store(url))


def number(value: Any) -> str:
    """A value as it is shown."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
