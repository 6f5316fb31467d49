"""Reads a folder of files into a collection of texts, in parallel; each distinct file content is read once."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hydra_pruning_sweeper.atomic_files import write_atomically
from seqlab.errors import InputError
from seqlab.extras import not_installed
from seqlab.text.documents.collection import Collection, Document
from seqlab.text.documents.finding import Skipped, find, name_of, reason_of
from seqlab.text.documents.formats import FORMATS, Format
from seqlab.text.documents.plain_text import REPLACEMENT
from seqlab.text.documents.processes import Limits, cores, in_processes
from seqlab.text.documents.unreadable import UnreadableError

ALWAYS_FINE = 1 << 24  # bytes of text that any file may have, however small it is


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file to read and where its text is cached: under the hash of its bytes, in a folder per reader and version."""

    file: Path
    format: Format
    folder: Path
    digest: str

    @property
    def text(self) -> Path:
        return self.folder / f"{self.digest}.txt"

    @property
    def record(self) -> Path:
        """The outcome of reading; written last, so a text without a record is incomplete and is ignored."""
        return self.folder / f"{self.digest}.json"

    def known(self) -> dict[str, Any] | None:
        if not self.record.is_file():
            return None
        record = json.loads(self.record.read_text(encoding="utf-8"))
        return record if "unreadable" in record or self.text.is_file() else None


def read_documents(path: Path, cache: Path, processes: int | None = None, limits: Limits | None = None) -> Collection:
    """The documents of a folder (or a single file); their texts are kept in `cache`.

    A file whose content was read before, under any name, is not read again. A file that cannot be read is listed with
    the reason, and the others are read all the same.

    Args:
        processes: how many files are read at once (None: one per processor).
        limits: limits on reading one file (None: the defaults of `Limits`).

    Raises:
        InputError: there is no such folder, nothing in it can be read, or a reader's library is not installed.
    """
    files, skipped = find(path)
    processes = processes or cores()
    entries: list[_Entry] = []
    for file, digest in zip(files, _digests(files, processes), strict=True):
        if isinstance(digest, OSError):
            skipped.append(Skipped(name_of(file, path), reason_of(digest)))
        else:
            entries.append(_entry(file, digest, cache))
    new = list({entry.record: entry for entry in entries if entry.known() is None}.values())
    failed = _read_all(new, processes, limits or Limits())
    documents: list[Document] = []
    for entry in entries:
        name = name_of(entry.file, path)
        record = entry.known() or {"unreadable": failed.get(entry.record, "its text vanished from the cache")}
        if "unreadable" in record:
            skipped.append(Skipped(name, record["unreadable"]))
        else:
            documents.append(Document(name, entry.text, record["characters"], record["sha256"], record["replaced"]))
    skipped.sort(key=lambda one: one.name)
    if not documents:
        raise InputError(_nothing(path, skipped))
    return Collection(path, tuple(documents), tuple(skipped), len(new))


def _entry(file: Path, digest: str, cache: Path) -> _Entry:
    format = FORMATS[file.suffix.lower()]
    return _Entry(file, format, cache / "documents" / f"{format.name}-{format.version}", digest)


def _digests(files: Sequence[Path], threads: int) -> list[str | OSError]:
    # Threads are enough: hashing releases the GIL.
    with ThreadPoolExecutor(threads) as pool:
        digests = pool.map(_digest, files)
        return list(tqdm(digests, "looking for new files", len(files), unit="file", delay=2, leave=False, disable=None))


def _digest(file: Path) -> str | OSError:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return error


def _read_all(entries: Sequence[_Entry], processes: int, limits: Limits) -> dict[Path, str]:
    """Fills the cache; returns the failures that may not happen again next time, which are not cached."""
    if not entries:
        return {}
    failed: dict[Path, str] = {}
    # The largest first, so that at the end no large file keeps a single process busy alone.
    tasks = sorted(entries, key=lambda entry: -entry.file.stat().st_size)
    folder = tasks[0].folder.parent
    folder.mkdir(parents=True, exist_ok=True)
    # Partly written texts are in a temporary folder, which is removed however a reader dies.
    with tempfile.TemporaryDirectory(prefix=".reading-", dir=folder) as partial:
        keep = functools.partial(_keep, limits=limits, partial=Path(partial))
        with tqdm(total=len(tasks), desc="reading", unit="file", disable=None) as bar:
            for entry, reason in in_processes(keep, tasks, processes, limits):
                if reason:
                    failed[entry.record] = reason
                for leftover in Path(partial).glob(f"{entry.folder.name}-{entry.digest}*"):
                    leftover.unlink(missing_ok=True)
                bar.update()
    return failed


def _keep(entry: _Entry, limits: Limits, partial: Path) -> str:
    """Reads a file into the cache; returns why it could not be read if the next attempt may succeed, else ""."""
    try:
        record = _written(entry, limits, partial / f"{entry.folder.name}-{entry.digest}")
    except UnreadableError as error:
        record = {"unreadable": str(error)}
    except _TransientError as error:
        return str(error)
    write_atomically(entry.record, json.dumps(record))
    return ""


def _written(entry: _Entry, limits: Limits, partial: Path) -> dict[str, Any]:
    characters, size, replaced, digest, blank = 0, 0, 0, hashlib.sha256(), True
    limit = max(ALWAYS_FINE, limits.growth * entry.file.stat().st_size)
    with partial.open("wb") as file:
        for piece in _pieces(entry, limits):
            data = piece.encode("utf-8", "replace")  # halves of surrogate pairs cannot be encoded
            if (size := size + len(data)) > limit:
                raise _TransientError(f"its text is longer than {limit:,} bytes (data.limits.growth={limits.growth})")
            file.write(data)
            digest.update(data)
            characters += len(piece)
            replaced += piece.count(REPLACEMENT)
            blank = blank and not piece.strip()
    if blank:
        raise UnreadableError("no text in it")
    entry.folder.mkdir(parents=True, exist_ok=True)
    partial.replace(entry.text)
    return {"characters": characters, "sha256": digest.hexdigest(), "replaced": replaced}


class _TransientError(Exception):
    """A file could not be read for a reason outside the file: the limits or the system."""


def _pieces(entry: _Entry, limits: Limits) -> Iterator[str]:
    try:
        yield from entry.format.read(entry.file)
    except UnreadableError:
        raise
    except OSError as error:
        raise _TransientError(reason_of(error)) from None
    except RecursionError:
        raise UnreadableError("its content is nested too deeply") from None
    except ModuleNotFoundError as error:
        raise not_installed(error, f"reading {entry.file.name}") or error from None
    except Exception as error:  # libraries raise all kinds of exceptions on damaged files
        reason = " ".join(str(error).split())[:200]
        if isinstance(error, MemoryError) or "memory" in reason.lower():
            raise _TransientError(
                f"its reader needs more than {limits.memory:,} MiB of memory (data.limits.memory)"
            ) from None
        raise UnreadableError(f"damaged ({type(error).__name__}: {reason})") from None


def _nothing(path: Path, skipped: Sequence[Skipped]) -> str:
    shown = [f"{one.name}: {one.reason}" for one in skipped[:5]]
    more = [f"and {len(skipped) - 5:,} more"] if len(skipped) > 5 else []
    reasons = "; ".join(shown + more) or "it contains no files"
    return f"{path}: no document that can be read ({reasons}); expected {', '.join(FORMATS)}"
