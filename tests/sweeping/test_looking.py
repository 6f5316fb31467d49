"""A sweep that is looked at is read, and nothing of it is changed, whatever its record names."""

import hashlib
import json
import sqlite3

import optuna
import pytest

from seqlab.errors import InputError
from seqlab.sweeping.journal import journal_storage
from seqlab.sweeping.looking import look_at
from seqlab.sweeping.record import Record
from seqlab.sweeping.storage import Store


def write_sweep(folder, storage=None, name="made_up"):
    """A folder with a record and, in the journal there or in `storage`, a study of three trials."""
    folder.mkdir(parents=True)
    Record(name, storage or str(folder / "journal.log"), "minimize", 3).write(folder)
    kept = Store(storage).storage if storage else journal_storage(folder / "journal.log")
    study = optuna.create_study(study_name=name, storage=kept)
    study.optimize(lambda trial: trial.suggest_float("x", 1, 2), n_trials=3)
    return folder


def state(folder):
    """All files below, with a hash of each."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in folder.rglob("*")}


def test_the_journal_is_read_without_a_lock_or_a_change(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    with (folder / "journal.log").open("ab") as file:
        file.write(b'{"op_code": 4, "torn')  # of a writer that died: mending it is the sweep's own business
    for lock in folder.glob("*.lock"):
        lock.unlink()
    before = state(tmp_path)
    sweep = look_at(folder)
    assert [one.state.name for one in sweep.trials()] == ["COMPLETE"] * 3 and sweep.parameters() == ["x"]
    assert sweep.best().value == min(one.value for one in sweep.trials())
    assert state(tmp_path) == before


def test_a_storage_that_the_record_names_is_not_opened(tmp_path):
    database = tmp_path / "anothers.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE precious (x)")
    folder = tmp_path / "sweep"
    folder.mkdir()
    for storage in (
        f"sqlite:///{database}",
        f"sqlite:///{tmp_path}/new.db",
        "postgresql://localhost:1/x",
        "/etc/passwd",
    ):
        Record("made_up", storage, "minimize", 3).write(folder)
        before = state(tmp_path)
        with pytest.raises(
            InputError, match=r"no journal\.log here, and a storage elsewhere is opened only where it is"
        ):
            look_at(folder)
        assert state(tmp_path) == before


def test_a_journal_that_is_a_link_is_not_followed(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    (folder / "journal.log").rename(tmp_path / "elsewhere.log")
    (folder / "journal.log").symlink_to(tmp_path / "elsewhere.log")
    with pytest.raises(InputError, match=r"no journal\.log here"):
        look_at(folder)
    assert len(look_at(folder, str(tmp_path / "elsewhere.log")).trials()) == 3  # where the user names it


def test_a_database_that_the_user_names_is_read_and_gets_no_tables(tmp_path):
    folder = write_sweep(tmp_path / "sweep", f"sqlite:///{tmp_path}/study.db")
    assert len(look_at(folder, f"sqlite:///{tmp_path}/study.db").trials()) == 3
    with sqlite3.connect(tmp_path / "anothers.db") as connection:
        connection.execute("CREATE TABLE precious (x)")
    before = state(tmp_path)
    for name, message in (("anothers", "holds no study"), ("missing", "no such database")):
        with pytest.raises(InputError, match=message):
            look_at(folder, f"sqlite:///{tmp_path}/{name}.db")
    assert state(tmp_path) == before


@pytest.mark.parametrize(
    "record",
    [
        "[]",
        "{",
        "{}",
        '{"study": 1, "direction": "minimize", "trials": 3}',
        '{"study": "made_up", "direction": "minimize", "trials": "many"}',
        '{"study": "made_up", "direction": "minimize", "trials": 3, "rungs": ["a"]}',
        '{"study": "made_up", "direction": "minimize", "trials": 3, "fixed": 7}',
        '{"study": "another", "direction": "minimize", "trials": 3}',
        "[" * 100_000,
        b"\xff",
    ],
)
def test_an_odd_record_is_refused_in_one_line(tmp_path, record):
    folder = write_sweep(tmp_path / "sweep")
    (folder / "sweep.json").write_bytes(record if isinstance(record, bytes) else record.encode())
    with pytest.raises(InputError) as raised:
        look_at(folder)
    assert str(folder) in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "line",
    [b"\0\n", b"[]\n", b'{"op_code": 99}\n', b'{"op_code": 4, "study_id": 7}\n', b'{"op_code": 6, "trial_id": {}}\n'],
)
def test_an_odd_journal_is_refused_in_one_line(tmp_path, line):
    folder = write_sweep(tmp_path / "sweep")
    with (folder / "journal.log").open("ab") as file:
        file.write(line)
    with pytest.raises(InputError, match="cannot be read") as raised:
        look_at(folder)
    assert "\n" not in str(raised.value)


def test_a_record_of_a_later_version_is_read_as_far_as_it_is_known(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    content = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps(content | {"later": 1}))
    assert look_at(folder).record.study == "made_up"
