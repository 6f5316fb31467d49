"""The storage of a study (a journal in its folder, a database, or a gRPC proxy), and turns at changing it."""

from __future__ import annotations

import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import quote

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.file_lock import file_lock
from hydra_pruning_sweeper.installing import install
from hydra_pruning_sweeper.study.addresses import hidden, is_remote, shown
from hydra_pruning_sweeper.study.journal import ReadOnlyJournal, journal_storage

JOURNAL = "journal.log"


class StudyStorage:
    """An Optuna storage with an address that any process or machine can open.

    Args:
        url: `postgresql://…`, `mysql://…`, `sqlite:///FILE`, `grpc://HOST:PORT`, or the path of a journal.
        study: opens the storage read-only for this study, which must exist. None opens it for writing, and creates
            what it lacks.

    Raises:
        UsageError: it cannot be opened, or does not contain the study.
    """

    def __init__(self, url: str, study: str | None = None) -> None:
        self.url = url
        self.storage: BaseStorage = _open(url, study)
        if study is not None:
            try:
                self.storage.get_study_id_from_name(study)
            except KeyError:
                raise UsageError(f"{self.shown}: no study {study}") from None
            except Exception as error:  # a proxy is asked here for the first time, and each has exceptions of its own
                reason = hidden(" ".join(str(error).split()), url)
                raise UsageError(f"{self.shown}: cannot be read ({reason})") from None

    @contextmanager
    def turn(self, study: str) -> Iterator[None]:
        """The turn, for one controller at a time, to count trials, take one, or end one. It ends with its process."""
        manager: AbstractContextManager[object]
        if isinstance(self.storage, RDBStorage):
            manager = _database_turn(self.storage, study)
        elif self.url.startswith("grpc://"):
            manager = _attribute_turn(self.storage, study)
        else:
            path = Path(self.url)
            manager = file_lock(path.with_name(f"{path.name}.turn"))
        with manager:
            yield

    @property
    def shown(self) -> str:
        """The address without a password."""
        return shown(self.url)


def store_url(setting: str | None, folder: Path) -> str:
    """The storage's address: the setting, or the journal in the sweep's folder."""
    if setting is None:
        return str(folder.resolve() / JOURNAL)
    return setting if "://" in setting else str(Path(setting).resolve())


def _open(url: str, study: str | None) -> BaseStorage:
    try:
        if url.startswith("grpc://"):
            host, _, port = url.removeprefix("grpc://").partition(":")
            return optuna.storages.GrpcStorageProxy(host=host, port=int(port or 13000))
        if "://" in url:
            return _database(url) if study is None else _read_only(url, study)
        return journal_storage(Path(url)) if study is None else JournalStorage(ReadOnlyJournal(Path(url)))
    except UsageError:
        raise
    except ImportError:
        line = install('"psycopg[binary]"')
        raise UsageError(
            f"hydra.sweeper.storage: no driver for {url.partition(':')[0]} is installed:"
            f" {line} for postgresql://, pymysql for mysql+pymysql://"
        ) from None
    except Exception as error:  # each database has exceptions of its own
        reason = hidden(" ".join(str(error).split()), url)
        raise UsageError(f"hydra.sweeper.storage: {shown(url)} cannot be opened ({reason})") from None


def _read_only(url: str, study: str) -> RDBStorage:
    """A database that contains the study already; a file is opened read-only.

    Raises:
        UsageError: it does not contain the study.
    """
    import sqlalchemy

    if not is_remote(url):
        path = Path(sqlalchemy.engine.make_url(url).database or "")
        if not path.is_file():
            raise UsageError(f"{shown(url)}: no such file")
        url = f"sqlite:///file:{quote(str(path.resolve()))}?mode=ro&uri=true"
    engine = sqlalchemy.create_engine(url)
    named = sqlalchemy.text("SELECT study_id FROM studies WHERE study_name = :name")
    with engine.connect() as connection:
        tables = set(sqlalchemy.inspect(connection).get_table_names())
        if not {"studies", "version_info", "alembic_version"} <= tables or not list(
            connection.execute(named, {"name": study})
        ):
            raise UsageError(f"{shown(url)}: no study {study}")
    engine.dispose()
    return RDBStorage(url, skip_table_creation=True)


def _database(url: str) -> RDBStorage:
    """A database. Where several controllers create its tables at once, one succeeds, and the others retry."""
    from sqlalchemy.exc import SQLAlchemyError

    for wait in (0.2, 0.5, 1.0, 2.0):
        try:
            return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        except SQLAlchemyError as error:
            if not any(reason in str(error) for reason in ("already exists", "UNIQUE constraint")):
                raise
            time.sleep(wait)
    return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})


@contextmanager
def _database_turn(storage: RDBStorage, study: str) -> Iterator[None]:
    """A lock within the database, which releases it when the connection is lost."""
    import sqlalchemy

    kind, number = storage.engine.dialect.name, zlib.crc32(study.encode())
    if kind == "sqlite":
        path = Path(storage.engine.url.database or "study")
        with file_lock(path.with_name(f"{path.name}.turn")):
            yield
        return
    take, give = {
        "postgresql": (f"SELECT pg_advisory_lock({number})", f"SELECT pg_advisory_unlock({number})"),
        "mysql": (f"SELECT GET_LOCK('{number}', -1)", f"SELECT RELEASE_LOCK('{number}')"),
    }[kind]
    with storage.engine.connect() as connection:
        connection.execute(sqlalchemy.text(take))
        try:
            yield
        finally:
            connection.execute(sqlalchemy.text(give))


PATIENCE = 60.0  # seconds after which a turn counts as abandoned by a dead controller


@contextmanager
def _attribute_turn(storage: BaseStorage, study: str) -> Iterator[None]:
    """A turn without locks, by one attribute per contender: whoever is alone in having set theirs has the turn.

    Each writes before it reads, so of two at least one sees the other, withdraws and tries again.
    """
    number, attribute = storage.get_study_id_from_name(study), f"turn:{uuid.uuid4().hex}"
    seen: dict[str, float] = {}
    wait = 0.02
    while True:
        storage.set_study_user_attr(number, attribute, True)
        attributes = storage.get_study_user_attrs(number)
        others = {
            name for name, is_set in attributes.items() if name.startswith("turn:") and is_set and name != attribute
        }
        now = time.monotonic()
        seen = {name: seen.get(name, now) for name in others}
        if not any(now - since < PATIENCE for since in seen.values()):
            break
        storage.set_study_user_attr(number, attribute, False)
        time.sleep(wait * (1 + int(attribute[-2:], 16) / 255))
        wait = min(2 * wait, 1.0)
    try:
        yield
    finally:
        storage.set_study_user_attr(number, attribute, False)
