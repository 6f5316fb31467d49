"""Of a sweep that is found only the journal in its folder is read, and nothing is changed."""

import hashlib
import sqlite3

import optuna
import pytest

from hydra_pruning_sweeper.study.journal import journal_storage
from hydra_pruning_sweeper.study.record import SweepRecord
from seqlab.errors import InputError
from seqlab.reporting.page.sweeps import digest_sweep, figures, pauses


def write_sweep(folder):
    """A folder with a record and, in the journal there, a study of three trials."""
    folder.mkdir(parents=True)
    SweepRecord("made_up", str(folder / "journal.log"), "minimize", 3, program="seqlab-train").write(folder)
    study = optuna.create_study(study_name="made_up", storage=journal_storage(folder / "journal.log"))
    study.optimize(lambda trial: trial.suggest_float("x", 1, 2), n_trials=3)
    return folder


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


def test_pauses_and_promotions_are_kept_and_shown(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    study = optuna.load_study(study_name="made_up", storage=journal_storage(folder / "journal.log"))
    waited = [{"step": 1, "paused": 5.0, "promoted": 7.0}, {"step": 3, "paused": 9.0, "promoted": None}]
    study.ask().set_user_attr("pauses", waited)
    trials = digest_sweep(folder)["trials"]
    assert [pauses(one) for one in trials] == ["", "", "", "after 1, promoted, after 3"]


def test_the_rungs_are_explained_as_the_search_used_them(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    digest = digest_sweep(folder)
    trials = [{**one, "reported": {"1": 1.5, "3": 1.25}} for one in digest["trials"]]

    def notes(**changed):
        return {one.title: one.note for one in figures({**digest, "trials": trials, **changed})}

    assert "rungs (after 1, 3 validations), where a trial is stopped" in notes(rungs=[1, 3])["Curves"]
    waiting = [{**trials[0], "pauses": [{"step": 1, "promoted": True}]}, *trials[1:]]
    assert "where a trial is paused unless it is among the best" in notes(rungs=[1, 3], trials=waiting)["Curves"]
    assert "rungs" not in notes(rungs=[])["Curves"]


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
