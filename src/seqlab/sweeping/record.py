"""What a sweep keeps about itself in its folder, so that other commands find the study and know what was searched."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from seqlab.errors import InputError
from seqlab.files import write_atomically
from seqlab.formatting import printable
from seqlab.sweeping.addresses import is_remote
from seqlab.sweeping.events import Events, Progress
from seqlab.sweeping.storage import Store

RECORD = "sweep.json"
LARGEST = 10_000_000  # bytes of a record
DIRECTIONS = ("minimize", "maximize")


@dataclass(frozen=True)
class Record:
    """A sweep, as it was asked for.

    Args:
        study: its name.
        storage: where it is kept, without a password; None in records of before that was left out.
        direction: "minimize" or "maximize".
        trials: how many it is to have.
        identity: what no other study has, whatever its name.
        rungs: steps at which trials may be pruned.
        program: the command that was typed.
        flags: where else configurations are.
        fixed: overrides that all trials share.
        controller: the one that wrote this last: machine, number of the process, start (see `Lease`).
    """

    study: str
    storage: str | None
    direction: str
    trials: int
    identity: str = ""
    rungs: list[int] = field(default_factory=list)
    program: str = ""
    flags: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    controller: list[Any] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Keeps it."""
        write_atomically(folder / RECORD, json.dumps(asdict(self), indent=1) + "\n")


def read_record(folder: Path) -> Record:
    """The sweep in `folder`.

    Raises:
        InputError: there is none, or what is there is no record of one.
    """
    path = folder / RECORD
    if not path.is_file():
        raise InputError(f"{folder}: no sweep here (no {RECORD})")
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path.stat().st_size:,} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
        return _checked(content)
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: not what a sweep writes ({printable(reason)})") from None


def _checked(content: Any) -> Record:
    """A record from what a file holds; what is unknown is passed over.

    Raises:
        ValueError: something is missing, or of another type.
    """
    if not isinstance(content, dict):
        raise ValueError("no object")
    if content.get("storage", ...) is None:
        content = content | {"storage": ""}
    kinds: dict[str, type] = {"trials": int, "rungs": list, "flags": list, "fixed": list, "controller": list}
    known = {one.name for one in fields(Record)}
    for name in ("study", "storage", "direction", "trials"):
        if name not in content:
            raise ValueError(f"{name} is missing")
    for name in known & content.keys():
        kind = kinds.get(name, str)
        if not isinstance(content[name], kind) or isinstance(content[name], bool):
            raise ValueError(f"{name} must be of type {kind.__name__}")
    for name, kind in (("rungs", int), ("flags", str), ("fixed", str)):
        if not all(isinstance(one, kind) for one in content.get(name, ())):
            raise ValueError(f"{name} must hold {kind.__name__} only")
    match content.get("controller", []):
        case [] | [str(), int(), int() | None]:
            pass
        case _:
            raise ValueError("controller must hold a machine, a number and a start")
    storage = content["storage"] or None
    if content["direction"] not in DIRECTIONS:
        raise ValueError("direction must be minimize or maximize")
    return Record(**{name: value for name, value in content.items() if name in known} | {"storage": storage})


def known_record(folder: Path) -> Record | None:
    """The record in `folder`; None where there is none that can be read."""
    try:
        return read_record(folder)
    except InputError:
        return None


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
    """The sweep in `folder`, to look at; `storage` says where it is kept, if that is a server.

    A file that is found somewhere does not decide which servers are connected to: their addresses are typed.

    Raises:
        InputError: there is none, it is kept on a server, or its study is not there.
    """
    record = read_record(folder)
    url = storage or record.storage
    if url is None or (storage is None and is_remote(url)):
        where = "an address with a password" if url is None else printable(url)
        raise InputError(f"{folder}: kept in {where}, which is opened only where it is typed: add storage=…")
    return Sweep(record, folder, Store(url, record.study))


def number(value: Any) -> str:
    """A value as it is shown."""
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))
