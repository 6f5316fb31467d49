"""The record in a sweep's folder, by which other commands find the study and know what was searched."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import printable
from hydra_pruning_sweeper.objectives import Goal, is_goal

RECORD = "sweep.json"
LARGEST = 10_000_000  # bytes of a record


@dataclass(frozen=True)
class SweepRecord:
    """A sweep as it was started.

    Args:
        study: its name.
        storage: the address of the study's storage, without a password; None in records of earlier versions, which left
            out an address that had one.
        direction: its direction, or those of its objectives.
        trials: how many are to be complete or pruned in the end.
        identity: unique to the study, unlike its name.
        rungs: steps at which trials may be pruned.
        program: the command that was typed, its first word.
        flags: typed flags that say where configurations are.
        fixed: overrides that all trials share.
        controller: the one that wrote this last: machine, number of the process, start (see `Lease`).
    """

    study: str
    storage: str | None
    direction: Goal
    trials: int
    identity: str = ""
    rungs: list[int] = field(default_factory=list)
    program: str = ""
    flags: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    controller: list[Any] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Writes the record into a sweep's folder."""
        write_atomically(folder / RECORD, json.dumps(asdict(self), indent=1) + "\n")


def read_record(folder: Path) -> SweepRecord:
    """The record of the sweep in `folder`.

    Raises:
        UsageError: there is none, or the file is not a valid record.
    """
    path = folder / RECORD
    if not path.is_file():
        raise UsageError(f"{folder}: no sweep here (no {RECORD})")
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path.stat().st_size:,} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
        return _checked(content)
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path}: not what a sweep writes ({printable(reason)})") from None


def _checked(content: Any) -> SweepRecord:
    """A record from the content of a file; unknown entries are ignored.

    Raises:
        ValueError: an entry is missing, or of the wrong type.
    """
    if not isinstance(content, dict):
        raise ValueError("no object")
    if content.get("storage", ...) is None:
        content = content | {"storage": ""}
    kinds: dict[str, type] = {"trials": int, "rungs": list, "flags": list, "fixed": list, "controller": list}
    known = {one.name for one in fields(SweepRecord)}
    for name in ("study", "storage", "direction", "trials"):
        if name not in content:
            raise ValueError(f"{name} is missing")
    for name in (known - {"direction"}) & content.keys():
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
    if not is_goal(content["direction"]):
        raise ValueError("direction must be minimize or maximize, or of several objectives a name for each")
    return SweepRecord(**{name: value for name, value in content.items() if name in known} | {"storage": storage})


def known_record(folder: Path) -> SweepRecord | None:
    """The record in `folder`; None where there is none, or an invalid one."""
    try:
        return read_record(folder)
    except UsageError:
        return None
