"""Whoever does not know which studies there are gets a list of them."""

import datetime
import io
import os
from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from rich.console import Console

from hydra_pruning_sweeper.study.lease import machine, start_of
from hydra_pruning_sweeper.study.record import SweepRecord, read_record
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.views import study_list, trial_table
from hydra_pruning_sweeper.views.command import run
from hydra_pruning_sweeper.views.study_list import overview, print_studies

NOW = datetime.datetime(2030, 5, 7, 12, 0, 0)
COMPLETE, PRUNED, FAIL, RUNNING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Writes a study whose trials have these states, and ended `minutes` ago; the n-th has the value n."""
    monkeypatch.setattr(study_list.time, "time", NOW.timestamp)

    def make(name, states, minutes=0, direction="minimize"):
        store = StudyStorage(str(tmp_path / name / "journal.log"))
        made = optuna.create_study(study_name=f"study {name}", storage=store.storage, direction=direction)
        for number, state in enumerate(states):
            value = float(number) if state in (COMPLETE, PRUNED) else None
            trial = create_trial(state=state, value=value)
            trial.datetime_start = NOW - datetime.timedelta(minutes=minutes + 1)
            trial.datetime_complete = None if state == RUNNING else NOW - datetime.timedelta(minutes=minutes)
            made.add_trial(trial)
        SweepRecord(f"study {name}", store.url, direction, 20).write(tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture
def printed(monkeypatch, tmp_path):
    """The lines of the list on a terminal of a given width."""

    def run(width):
        file = io.StringIO()
        terminal = lambda **how: Console(file=file, force_terminal=True, color_system=None, width=width, **how)  # noqa: E731
        monkeypatch.setattr(trial_table, "Console", terminal)
        assert print_studies(tmp_path)
        return [line.rstrip() for line in file.getvalue().splitlines()]

    return run


def test_the_last_active_study_comes_first(study, tmp_path, capsys):
    study("old", [PRUNED, COMPLETE, COMPLETE], minutes=3 * 24 * 60)
    study("young", [FAIL, RUNNING], minutes=7)
    study("best_is_largest", [COMPLETE] * 3, minutes=30, direction="maximize")
    study("planned_only", [])
    assert print_studies(tmp_path)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["study", "complete", "pruned", "failed", "waiting", "planned", "best", "last", "active"],
        ["young", "0", "0", "1", "1", "20", "none", "yet", "7", "min", "ago"],
        ["best_is_largest", "3", "0", "0", "0", "20", "2", "30", "min", "ago"],
        ["old", "2", "1", "0", "0", "20", "1", "3", "days", "ago"],
        ["planned_only", "0", "0", "0", "0", "20", "none", "yet", "not", "yet"],
    ]


def test_a_study_whose_first_trial_is_about_to_begin_is_starting(study, tmp_path, capsys):
    study("old", [COMPLETE], minutes=5)
    folder, alive = study("new", []), (machine(), os.getppid(), start_of(os.getppid()))
    for controller, shown in (([], "no trial yet: the line that began"), (alive, "the first one is starting")):
        replace(read_record(folder), controller=[*controller]).write(folder)
        run("status", folder)
        assert shown in capsys.readouterr().out
    assert print_studies(tmp_path)
    first, *_ = capsys.readouterr().out.splitlines()[1:]
    assert first.split() == ["new", "0", "20", "none", "yet", "starting"]


def test_the_list_fits_into_a_narrow_terminal(study, printed):
    study("multi30k_transformer_halving", [COMPLETE] * 3 + [PRUNED] * 12 + [FAIL, RUNNING])
    narrow = printed(80)
    assert narrow[0].split() == ["study", "complete", "pruned", "failed", "waiting", "planned", "best"]
    assert narrow[1].split() == ["multi30k_transformer_halving", "3", "12", "1", "1", "20", "0"]
    assert " ".join(narrow[3:]).split() == ["last", "study", "active", "multi30k_transformer_halving", "0", "s", "ago"]
    assert max(map(len, narrow)) <= 80
    wide = printed(110)
    assert wide[0].split()[1:] == ["complete", "pruned", "failed", "waiting", "planned", "best", "last", "active"]
    assert len(wide) == 2


def test_a_running_trial_was_active_when_it_last_reported(study):
    folder = study("s", [RUNNING], minutes=60)
    assert overview(folder).last_active == NOW.timestamp() - 61 * 60
    TrialEvents(folder / "0").add("first_step")
    os.utime(folder / "0/events.jsonl", (NOW.timestamp() - 3, NOW.timestamp() - 3))
    assert overview(folder).last_active == NOW.timestamp() - 3


def test_a_study_that_cannot_be_read_does_not_hide_the_others(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    study("good", [COMPLETE])
    study("damaged", [COMPLETE])
    (tmp_path / "damaged/journal.log").write_text("[]\n")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/sweep.json").write_text("{}")
    (tmp_path / "no_study").mkdir()
    SweepRecord("far", "postgresql://127.0.0.1:1/x", "minimize", 20).write(tmp_path / "server")
    assert print_studies(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[0] == "good"
    assert [line.partition(":")[0] for line in lines[2:]] == [
        f"{tmp_path}/damaged/journal.log, line 1",
        f"{tmp_path}/odd/sweep.json",
        f"{tmp_path}/server",
    ]
    assert lines[-1].endswith("which is opened only where it is typed: add storage=…")


def test_a_typed_storage_is_that_of_studies_on_a_server_alone(study, tmp_path, capsys):
    folder = study("here", [COMPLETE])
    elsewhere = study("there", [COMPLETE, COMPLETE])
    address = StudyStorage(str(elsewhere / "journal.log")).url
    SweepRecord("study there", "postgresql://127.0.0.1:1/x", "minimize", 20).write(elsewhere)
    assert overview(elsewhere, address).states["complete"] == 2
    assert overview(folder, address).states["complete"] == 1


def test_there_may_be_none(tmp_path, capsys):
    assert not print_studies(tmp_path)
    assert not print_studies(tmp_path / "nowhere")
    assert capsys.readouterr().out == ""
