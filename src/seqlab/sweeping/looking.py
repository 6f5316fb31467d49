"""A sweep that is only looked at: its record and its study are read, and nothing is written to either.

Its folder may be somebody else's. So of itself only the journal in that folder is read; any other storage must be named
by the user, since a record could name any file and any address.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import BaseJournalBackend

from seqlab.errors import InputError
from seqlab.sweeping.record import RECORD, Record, Sweep
from seqlab.sweeping.storage import JOURNAL, Store

MOST_BYTES = 1 << 28
"""Of a journal or record that is read."""


class ReadOnly(Store):
    """A storage that is read."""

    def __init__(self, url: str, storage: BaseStorage) -> None:
        self.url, self.storage = url, storage


class Lines(BaseJournalBackend):
    """A journal's records as they were when the file was read: no lock, no mending, no writing."""

    def __init__(self, path: Path) -> None:
        self.logs = [json.loads(line) for line in _read(path).split(b"\n")[:-1]]  # a torn last line is not read

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Those from a number on."""
        return self.logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Refuses.

        Raises:
            InputError: always.
        """
        raise InputError("a sweep that is only looked at cannot be changed")


def look_at(folder: Path, storage: str | None = None) -> Sweep:
    """The sweep in `folder`, from the journal there or the `storage` that the user names.

    Raises:
        InputError: there is no sweep, or it cannot be read.
    """
    record = _record(folder / RECORD)
    own = folder / JOURNAL
    if storage is None and (own.is_symlink() or not own.is_file()):
        raise InputError(f"{folder}: no {JOURNAL} here, and a storage elsewhere is opened only where it is named")
    url = storage or str(own)
    try:
        sweep = Sweep(record, folder, ReadOnly(url, _opened(url)))
        sweep.trials()
    except InputError:
        raise
    except Exception as error:  # Optuna's replay fails on odd records in ways of its own, and so does each engine
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{folder}: its study cannot be read ({reason})") from None
    return sweep


def _opened(url: str) -> BaseStorage:
    if "://" not in url:
        return JournalStorage(Lines(Path(url)))
    if url.startswith("grpc://"):
        return Store(url).storage
    import sqlalchemy

    address = sqlalchemy.make_url(url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise InputError("no such database")
    engine = sqlalchemy.create_engine(address)
    if not {"studies", "version_info", "alembic_version"} <= {*sqlalchemy.inspect(engine).get_table_names()}:
        raise InputError("the database holds no study of Optuna's")
    return RDBStorage(url, skip_table_creation=True)


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise InputError(f"{path}: not a file")
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: larger than {MOST_BYTES:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _record(path: Path) -> Record:
    """The record, of fields that this version knows, each of its type."""
    try:
        content = json.loads(_read(path))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: not the record of a sweep")
    known = {one.name: content[one.name] for one in fields(Record) if one.name in content} | {"storage": None}
    for name, value in {"study": None, "direction": None, "trials": None, **known}.items():
        if not _fits(name, value):
            raise InputError(f"{path}: {name} is not as a sweep records it")
    return Record(**known)


def _fits(name: str, value: Any) -> bool:
    match name:
        case "study" | "direction" | "program" | "config_name":
            return isinstance(value, str)
        case "trials":
            return isinstance(value, int)
        case "rungs":
            return isinstance(value, list) and all(isinstance(one, int) for one in value)
        case "flags" | "fixed":
            return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return True
