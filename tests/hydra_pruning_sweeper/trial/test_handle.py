"""The trial as an application without Lightning uses it."""

import math
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, download_artifact, get_all_artifact_meta
from sweeper_support.simulation import PAUSING, PRUNER

from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE, TrialContext
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.trial.handle import ARTIFACTS, current_trial


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Makes this process that of a new trial, and gives the trial."""
    store = StudyStorage(str(tmp_path / "journal.log"))
    study = optuna.create_study(study_name="s", storage=store.storage)

    def new(pruner=PRUNER):
        number = study.ask().number
        context = TrialContext("s", store.url, number, str(tmp_path / str(number)), values={"x": 1}, pruner=pruner)
        monkeypatch.setenv(TRIAL_VARIABLE, str(context.write()))
        return current_trial()

    new.study = study
    return new


def trained(trial, value, steps=9):
    """The step after which a training ended that comes to `value` at every step."""
    for step in range(1, steps + 1):
        trial.report(step, value, last=step == steps)
        if trial.should_stop():
            return step
    return steps


def test_outside_of_a_sweep_a_run_goes_on_and_keeps_nothing(monkeypatch, tmp_path):
    monkeypatch.delenv(TRIAL_VARIABLE, raising=False)
    trial = current_trial()
    assert (trial.number, trial.values) == (None, {})
    assert trained(trial, math.nan) == 9
    trial.note("accuracy", 0.5)
    trial.keep(tmp_path / "nothing")


def test_a_trial_stops_where_the_pruner_says_so(begin):
    numbers = [begin() for _ in range(8)]
    assert {trained(one, float(one.number)) for one in numbers} > {9}  # 0 is the best of all
    assert numbers[3].values == {"x": 1}
    kept = begin.study.get_trials()[0].intermediate_values
    assert kept == dict.fromkeys(range(1, 10), 0.0)


def test_a_trial_that_is_paused_stops_too(begin):
    first, second = begin(PAUSING), begin(PAUSING)
    assert (trained(first, 1.0), trained(second, 2.0)) == (1, 1)  # one in three goes on, and there are two


def test_a_value_that_is_no_number_stops(begin):
    assert trained(begin(), math.inf) == 1


def test_notes_and_files_are_kept_in_the_study(begin, tmp_path):
    trial = begin()
    trial.note("accuracy", {"val": 0.5})
    (tmp_path / "plot.svg").write_text("<svg/>")
    trial.keep(tmp_path / "plot.svg")
    (frozen,) = begin.study.get_trials()
    assert frozen.user_attrs["note:accuracy"] == {"val": 0.5}
    (kept,) = get_all_artifact_meta(frozen, storage=begin.study._storage)
    assert kept.filename == "plot.svg"
    store = FileSystemArtifactStore(tmp_path / ARTIFACTS)
    download_artifact(artifact_store=store, file_path=str(tmp_path / "again"), artifact_id=kept.artifact_id)
    assert Path(tmp_path / "again").read_text() == "<svg/>"


def test_a_killed_trial_is_answered_as_before(begin, monkeypatch):
    trial = begin()
    trial.report(1, 0.5)
    again = current_trial()
    again.report(1, 0.5)
    assert not again.should_stop()
    events = TrialEvents(again._folder).read()
    assert events.reported == {1: 0.5}
