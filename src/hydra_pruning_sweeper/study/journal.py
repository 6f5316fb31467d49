"""Optuna's journal in a file, safe against writers that are killed: their locks and torn lines do not stay."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.file_lock import file_lock
from hydra_pruning_sweeper.names import NAMES


class RepairingLock(JournalFileOpenLock):
    """The journal's lock. Acquiring it removes the torn line of a writer that died while writing.

    Optuna's own locks are files that a killed holder leaves behind, for which all others then wait 30 seconds.
    """

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._held: list[ExitStack] = []

    def acquire(self) -> bool:
        """Waits for the lock."""
        lock = ExitStack()
        lock.enter_context(file_lock(self.journal.with_name(f"{self.journal.name}.lock")))
        self._held.append(lock)
        cut_torn_line(self.journal)
        return True

    def release(self) -> None:
        """Releases the lock."""
        self._held.pop().close()


class Journal(JournalFileBackend):
    """Optuna's journal; names the line that cannot be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), lock_obj=RepairingLock(path))

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """The records from `log_number_from` on.

        Raises:
            UsageError: a line is not a record.
        """
        number = log_number_from
        try:
            for record in super().read_logs(log_number_from):
                if not isinstance(record, dict) or "op_code" not in record:
                    raise ValueError
                yield record
                number += 1
        except (ValueError, RecursionError):
            path = Path(self._file_path)
            raise UsageError(
                f"{path}, line {number + 1}: damaged; when no sweep is running, type {NAMES.command} repair"
                f" study={path.parent} storage={path}"
            ) from None


class ReadOnlyJournal(Journal):
    """A journal that is only read: nothing is created, repaired or locked.

    Raises:
        UsageError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UsageError(f"{path}: no such journal")
        self._file_path = str(path)
        self._log_number_offset = {0: 0}

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Refuses to write."""
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS), self._file_path)


def journal_storage(path: Path) -> JournalStorage:
    """The storage in the journal at `path`, which is created if it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(Journal(path))


def cut_torn_line(path: Path) -> bool:
    """Moves an unfinished last line to `<name>.torn`; returns whether there was one. The lock must be held.

    Otherwise the next record would be appended to it, and the one after that would make the journal unreadable.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            return False
        file.seek(-1, os.SEEK_END)
        if file.read() == b"\n":
            return False
        file.seek(0)
        content = file.read()
        end = content.rfind(b"\n") + 1
        with path.with_name(f"{path.name}.torn").open("ab") as torn:
            torn.write(content[end:] + b"\n")
        file.truncate(end)
    return True


def repair(path: Path) -> int:
    """Removes unreadable lines from a journal, but keeps a complete record at the end of one; backs up the journal.

    To be called only while no sweep runs, since running ones count records by their lines.

    Returns:
        The number of lines that were damaged.
    """
    with file_lock(path.with_name(f"{path.name}.lock")):
        damaged = int(cut_torn_line(path))
        lines = path.read_bytes().splitlines(keepends=True)
        repaired = [_record(line) for line in lines]
        broken = sum(old != new for old, new in zip(lines, repaired, strict=True))
        if broken:
            shutil.copy2(path, path.with_name(f"{path.name}.damaged"))
            temporary = path.with_name(f"{path.name}.tmp")
            temporary.write_bytes(b"".join(repaired))
            temporary.replace(path)
        return damaged + broken


def _record(line: bytes) -> bytes:
    """The line if it is a record; else the record at its end, which follows a torn one; else an empty line."""
    start = 0
    while start >= 0:
        try:
            if isinstance(json.loads(line[start:]), dict):
                return line[start:]
        except ValueError:
            pass
        start = line.find(b'{"op_code"', start + 1)
    return b""
