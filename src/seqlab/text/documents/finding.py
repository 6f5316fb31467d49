"""Finds the files of a folder that there is a reader for, and says why the others are skipped."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seqlab.errors import InputError
from seqlab.text.documents.formats import FORMATS


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not read, and why."""

    name: str
    reason: str


NO_READER = "no reader for"


def find(path: Path) -> tuple[list[Path], list[Skipped]]:
    """The files with a reader at `path` (a single file, or a folder with its subfolders), and the skipped ones; sorted.

    Hidden files (".…") and lock files of Office ("~$…") are ignored. Links are followed, but no folder is read twice.

    Raises:
        InputError: there is nothing at `path`, or it is neither a file nor a folder.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_file():
        reason = _objection(path)
        return ([], [Skipped(path.name, reason)]) if reason else ([path], [])
    if not path.is_dir():
        raise InputError(f"{path}: a device or a pipe; expected a folder or an ordinary file")
    files: list[Path] = []
    skipped: list[Skipped] = []
    for file, reason in _walk(path, {_identity(path): path}):
        if reason := reason or _objection(file):
            skipped.append(Skipped(name_of(file, path), reason))
        else:
            files.append(file)
    return sorted(files, key=lambda file: name_of(file, path)), sorted(skipped, key=lambda entry: entry.name)


def name_of(file: Path, folder: Path) -> str:
    """A file's path relative to `folder`, with "/" on every system; bytes that are not UTF-8 are escaped."""
    name = file.name if file == folder else file.relative_to(folder).as_posix()
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _walk(folder: Path, seen: dict[tuple[int, int], Path]) -> Iterator[tuple[Path, str]]:
    """All files below `folder` with an empty reason, and folders that are not entered with the reason."""
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "~$")))
    except OSError as error:
        yield folder, reason_of(error)
        return
    for entry in entries:
        if not entry.is_dir():
            yield entry, ""
        elif (other := seen.setdefault(_identity(entry), entry)) != entry:
            yield entry, "a symlink loop" if other in entry.parents else f"the same folder as {other}"
        else:
            yield from _walk(entry, seen)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _objection(file: Path) -> str:
    """Why a file is skipped without opening it; empty if it is to be read."""
    if file.suffix.lower() not in FORMATS:
        return f"no reader for {file.suffix.lower()}" if file.suffix else "no reader for files without a suffix"
    try:
        status = file.stat()
    except OSError as error:
        return reason_of(error)
    if not stat.S_ISREG(status.st_mode):
        return "not an ordinary file"
    return "" if status.st_size else "empty (0 bytes)"


def reason_of(error: OSError) -> str:
    """Why a file could not be opened, in words."""
    import errno

    if error.errno == errno.ELOOP:
        return "a symlink loop"
    if error.errno == errno.ENOENT:
        return "a broken link"
    return (error.strerror or str(error)).lower()
