"""Optuna's journal in a file, made to outlive those who write it: locks that die with their holder, a mended tail."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.names import COMMAND


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the file `path` for this process and thread alone; the system lets go when the process dies."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class RepairingLock(JournalFileOpenLock):
    """The journal's lock. Whoever gets it first takes away the torn line of a writer that died in the middle of one.

    Optuna's own locks are files that a killed holder leaves behind: all others then wait for 30 seconds.
    """

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._held: list[int] = []

    def acquire(self) -> bool:
        """Waits for the lock."""
        handle = os.open(self.journal.with_name(f"{self.journal.name}.lock"), os.O_CREAT | os.O_RDWR, 0o666)
        fcntl.flock(handle, fcntl.LOCK_EX)
        self._held.append(handle)
        cut_torn_line(self.journal)
        return True

    def release(self) -> None:
        """Gives it back."""
        os.close(self._held.pop())


class Journal(JournalFileBackend):
    """Optuna's journal, which says which of its lines cannot be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), lock_obj=RepairingLock(path))

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """The records from one on.

        Raises:
            UsageError: a line is none.
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
                f"{path}, line {number + 1}: damaged; when no sweep is running, type {COMMAND} repair"
                f" study={path.parent} storage={path}"
            ) from None


class ReadOnlyJournal(Journal):
    """A journal that is only looked at: nothing is made, mended or locked.

    Raises:
        UsageError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UsageError(f"{path}: no such journal")
        self._file_path = str(path)
        self._log_number_offset = {0: 0}

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Is never done."""
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS), self._file_path)


def journal_storage(path: Path) -> JournalStorage:
    """The storage in the journal at `path`, which is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(Journal(path))


def cut_torn_line(path: Path) -> bool:
    """Cuts off a last line without an end, keeping it in `<name>.torn`; the lock must be held.

    Without this the next record would be glued to it, and the one after that would make the journal unreadable.
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
    """Takes unreadable lines out of a journal, saving of each what is a whole record; keeps a copy of it as it was.

    Only while no sweep is running: records are counted by their lines.

    Returns:
        The number of lines that were damaged.
    """
    with locked(path.with_name(f"{path.name}.lock")):
        damaged = int(cut_torn_line(path))
        lines = path.read_bytes().splitlines(keepends=True)
        mended = [_record(line) for line in lines]
        broken = sum(old != new for old, new in zip(lines, mended, strict=True))
        if broken:
            shutil.copy2(path, path.with_name(f"{path.name}.damaged"))
            temporary = path.with_name(f"{path.name}.tmp")
            temporary.write_bytes(b"".join(mended))
            temporary.replace(path)
        return damaged + broken


def _record(line: bytes) -> bytes:
    """The line, or the record at its end where a torn one stands before it, or nothing."""
    start = 0
    while start >= 0:
        try:
            if isinstance(json.loads(line[start:]), dict):
                return line[start:]
        except ValueError:
            pass
        start = line.find(b'{"op_code"', start + 1)
    return b""
