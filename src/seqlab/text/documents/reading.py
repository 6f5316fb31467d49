"""From a folder of files to a collection of texts: in parallel, and each file content once."""

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
from seqlab.text.documents.processes import Limits, cores, in_processes
from seqlab.text.documents.unreadable import UnreadableError

ALWAYS_FINE = 1 << 24  # bytes of text that any file may hold


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file to read, and where its text is kept: under the hash of its bytes, apart for each reader's version."""

    file: Path
    format: Format
    folder: Path
    digest: str

    @property
    def text(self) -> Path:
        return self.folder / f"{self.digest}.txt"

    @property
    def record(self) -> Path:
        """What reading gave; written last, so that a text without one does not count."""
        return self.folder / f"{self.digest}.json"

    def known(self) -> dict[str, Any] | None:
        if not self.record.is_file():
            return None
        record = json.loads(self.record.read_text(encoding="utf-8"))
        return record if "unreadable" in record or self.text.is_file() else None


def read_documents(path: Path, cache: Path, processes: int | None = None, limits: Limits | None = None) -> Collection:
    """The documents of a folder (or a single file), their texts kept in `cache`.

    A file whose content was read before, under whatever name, is not read again. What cannot be read is listed with
    its reason and stops nothing.

    Args:
        processes: how many files are read at once (None: as many as there are processors).
        limits: what reading one file may take (None: the defaults of `Limits`).

    Raises:
        InputError: no such folder, nothing in it that can be read, or a reader's library is not installed.
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
            documents.append(Document(name, entry.text, record["characters"], record["sha256"]))
    skipped.sort(key=lambda one: one.name)
    if not documents:
        raise InputError(_nothing(path, skipped))
    return Collection(path, tuple(documents), tuple(skipped), len(new))


def _entry(file: Path, digest: str, cache: Path) -> _Entry:
    format = FORMATS[file.suffix.lower()]
    return _Entry(file, format, cache / "documents" / f"{format.name}-{format.version}", digest)


def _digests(files: Sequence[Path], threads: int) -> list[str | OSError]:
    # Threads are enough: hashing leaves Python's lock alone.
    with ThreadPoolExecutor(threads) as pool:
        digests = pool.map(_digest, files)
        return list(
            tqdm(digests, "looking for what is new", len(files), unit="file", delay=2, leave=False, disable=None)
        )


def _digest(file: Path) -> str | OSError:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return error


def _read_all(entries: Sequence[_Entry], processes: int, limits: Limits) -> dict[Path, str]:
    """Fills the cache; returns the reasons that may not hold the next time, which are not kept there."""
    if not entries:
        return {}
    failed: dict[Path, str] = {}
    # The largest first, so that none is left to a single process at the end.
    tasks = sorted(entries, key=lambda entry: -entry.file.stat().st_size)
    folder = tasks[0].folder.parent
    folder.mkdir(parents=True, exist_ok=True)
    # What a reader has begun to write lies where it is removed whatever the reader died of.
    with tempfile.TemporaryDirectory(prefix=".reading-", dir=folder) as begun:
        keep = functools.partial(_keep, limits=limits, begun=Path(begun))
        with tqdm(total=len(tasks), desc="reading", unit="file", disable=None) as bar:
            for entry, reason in in_processes(keep, tasks, processes, limits):
                if reason:
                    failed[entry.record] = reason
                for left in Path(begun).glob(f"{entry.folder.name}-{entry.digest}*"):
                    left.unlink(missing_ok=True)
                bar.update()
    return failed


def _keep(entry: _Entry, limits: Limits, begun: Path) -> str:
    """Reads a file into the cache; returns why it could not be read if that may be different another time."""
    try:
        record = _written(entry, limits, begun / f"{entry.folder.name}-{entry.digest}")
    except UnreadableError as error:
        record = {"unreadable": str(error)}
    except _OddsError as error:
        return str(error)
    write_atomically(entry.record, json.dumps(record))
    return ""


def _written(entry: _Entry, limits: Limits, begun: Path) -> dict[str, Any]:
    characters, size, digest, blank = 0, 0, hashlib.sha256(), True
    limit = max(ALWAYS_FINE, limits.growth * entry.file.stat().st_size)
    with begun.open("wb") as file:
        for piece in _pieces(entry, limits):
            data = piece.encode("utf-8", "replace")  # halves of surrogate pairs are no text
            if (size := size + len(data)) > limit:
                raise _OddsError(f"its text is longer than {limit:,} bytes (data.limits.growth={limits.growth})")
            file.write(data)
            digest.update(data)
            characters += len(piece)
            blank = blank and not piece.strip()
    if blank:
        raise UnreadableError("no text in it")
    entry.folder.mkdir(parents=True, exist_ok=True)
    begun.replace(entry.text)
    return {"characters": characters, "sha256": digest.hexdigest()}


class _OddsError(Exception):
    """A file could not be read for a reason outside of it."""


def _pieces(entry: _Entry, limits: Limits) -> Iterator[str]:
    try:
        yield from entry.format.read(entry.file)
    except UnreadableError:
        raise
    except OSError as error:
        raise _OddsError(reason_of(error)) from None
    except RecursionError:
        raise UnreadableError("what is in it is nested too deeply") from None
    except ModuleNotFoundError as error:
        raise not_installed(error, f"reading {entry.file.name}") or error from None
    except Exception as error:  # what libraries raise on damaged files has no end
        reason = " ".join(str(error).split())[:200]
        if isinstance(error, MemoryError) or "memory" in reason.lower():
            raise _OddsError(
                f"its reader needs more than {limits.memory:,} MiB of memory (data.limits.memory)"
            ) from None
        raise UnreadableError(f"damaged ({type(error).__name__}: {reason})") from None


def _nothing(path: Path, skipped: Sequence[Skipped]) -> str:
    shown = [f"{one.name}: {one.reason}" for one in skipped[:5]]
    more = [f"and {len(skipped) - 5:,} more"] if len(skipped) > 5 else []
    found = "; ".join(shown + more) or "it holds no files"
    return f"{path}: no document that can be read ({found}); expected {', '.join(FORMATS)}"
