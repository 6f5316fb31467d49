"""Of a sweep that is found only the journal in its folder is read, and nothing is changed."""

import hashlib
import sqlite3

import optuna
import pytest
from runs.made_up_sweep import write_sweep

from hydra_pruning_sweeper.study.journal import journal_storage
from hydra_pruning_sweeper.study.record import SweepRecord
from seqlab.errors import InputError
from seqlab.runs.sweep_digest import digest_sweep


def state(folder):
    """All files below, with a hash of each."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in folder.rglob("*")}


def test_the_journal_is_read_without_a_lock_or_a_change(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    for lock in folder.glob("*.lock"):
        lock.unlink()
    before = state(tmp_path)
    found = digest_sweep(folder)
    assert [one["state"] for one in found["trials"]] == ["COMPLETE"] * 3 and found["parameters"] == ["x"]
    assert found["command"] == "seqlab-train -m hydra.sweeper.study=made_up hydra.sweeper.n_trials=3"
    assert state(tmp_path) == before


@pytest.mark.parametrize(
    "storage", ["sqlite:///{}/anothers.db", "sqlite:///{}/new.db", "{}/anothers.db", "mysql://x/y"]
)
def test_a_storage_that_the_record_names_is_not_opened(tmp_path, storage):
    with sqlite3.connect(tmp_path / "anothers.db") as connection:
        connection.execute("CREATE TABLE precious (x)")
    folder = tmp_path / "sweep"
    folder.mkdir()
    SweepRecord("made_up", storage.format(tmp_path), "minimize", 3).write(folder)
    before = state(tmp_path)
    with pytest.raises(
        InputError, match=r"no journal\.log here, and a storage elsewhere is opened only where it is named"
    ):
        digest_sweep(folder)
    assert state(tmp_path) == before


def test_a_journal_that_is_a_link_is_read_only_where_the_user_names_it(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    (folder / "journal.log").rename(tmp_path / "elsewhere.log")
    (folder / "journal.log").symlink_to(tmp_path / "elsewhere.log")
    with pytest.raises(InputError, match=r"no journal\.log here"):
        digest_sweep(folder)
    assert len(digest_sweep(folder, str(tmp_path / "elsewhere.log"))["trials"]) == 3


def test_figures_that_are_no_numbers_are_left_out(tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    SweepRecord("made_up", str(folder / "journal.log"), "minimize", 1, program="seqlab-train").write(folder)
    study = optuna.create_study(study_name="made_up", storage=journal_storage(folder / "journal.log"))

    def objective(trial):
        trial.report(float("inf"), 1)
        trial.report(2.0, 2)
        return float("inf")

    study.optimize(objective, n_trials=1)
    (trial,) = digest_sweep(folder)["trials"]
    assert (trial["value"], trial["reported"]) == (None, {"2": 2.0})
