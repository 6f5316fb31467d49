"""A multirun's line that is typed again finishes what is missing of it. Training is a stand-in."""

import json
import os
import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from support import ROOT

from seqlab.multiruns import pool, slots_run

FAKE = str(Path(__file__).with_name("fake_train.py"))
NAMES = ("fine", "fails", "stops")


@pytest.fixture(scope="module")
def settings():
    """Those of every run of these tests, by its overrides."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        plain = OmegaConf.to_container(compose("train", ["experiment=toy_gru"]), resolve=False)
    return {
        f"experiment=toy_gru name={name} seed={seed}": {**plain, "name": name, "seed": seed}
        for name in NAMES
        for seed in (1, 2)
    }


@pytest.fixture
def multirun(command, monkeypatch, settings):
    """Types a multirun of the named stand-ins, two at a time, into the folder `all`; gives its Outcome."""
    monkeypatch.setattr(pool, "TRAIN", FAKE)
    monkeypatch.setattr(pool, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(slots_run, "PRELOAD", ())
    monkeypatch.setenv("FAKE_SETTINGS", json.dumps(settings))
    monkeypatch.setenv("FAKE_RUNNER", str(os.getpid()))
    monkeypatch.setenv("FAKE_CODE", "own")

    def call(names, *arguments, code="own"):
        monkeypatch.setattr("seqlab.code_hash.code", lambda: code)
        line = ("experiment=toy_gru", f"name={names}", "seed=1", "hydra.sweep.dir=all", "hydra.launcher.slots=2")
        return command("train", "-m", *line, *arguments, COLUMNS="200")

    return call


@pytest.fixture
def calls(tmp_path):
    """The calls of the trainer since the last time one asked: begin or resume, and the folder."""
    file = tmp_path / "calls.txt"

    def since():
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        file.unlink(missing_ok=True)
        return sorted(f"{kind} {(tmp_path / folder).relative_to(tmp_path)}" for kind, folder, _ in lines)

    return since


def result_of(folder):
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def test_what_is_finished_is_kept_and_shown(multirun, calls):
    first = multirun("fine", "seed=1,2").succeeded()
    assert calls() == ["begin all/0", "begin all/1"]
    assert "runs        2: 2 to start; 2 at a time" in first.out
    again = multirun("fine", "seed=1,2").succeeded()
    assert calls() == []
    assert "runs        2: 2 finished\n" in again.out
    assert again.out.partition("2 finished\n")[2] == first.out[-len(again.out.partition("2 finished\n")[2]) :]


def test_a_failed_run_stops_no_other_and_is_tried_again(multirun, calls, tmp_path):
    outcome = multirun("fails,fine")
    assert outcome.stopped(1, "error: 1 of 2 runs failed; the same line tries again")
    assert calls() == ["begin all/0", "begin all/1"]
    assert re.search(r"^failed: run 0\b.*: it broke$", outcome.out, re.MULTILINE)
    assert (tmp_path / "all/0/error.txt").read_text() == "it broke\n"
    assert "run 0 name=fails FAILED after" in outcome.out
    assert multirun("fails,fine").code == 1
    assert calls() == ["begin all/0"]


def test_ctrl_c_is_one_line_and_the_same_line_resumes_and_runs_the_rest(multirun, calls, tmp_path):
    line = ("stops,fine", "hydra.launcher.slots=1")
    assert multirun(*line).stopped(130) == "stopped: what ran is saved, and the same line goes on\n"
    assert (tmp_path / "all/0/told.txt").read_text() == "SIGTERM"
    assert calls() == ["begin all/0"]
    outcome = multirun(*line).succeeded()
    assert "runs        2: 1 to resume, 1 to start" in outcome.out
    assert calls() == ["begin all/1", "resume all/0"]


def test_other_code_is_never_mixed_in(multirun, calls, tmp_path):
    multirun("fine").succeeded()
    multirun("fine", code="other").stopped(2, "code own → other", "overwrite=true")
    calls()
    multirun("fine", "overwrite=true", code="other").succeeded()
    assert calls() == ["begin all/0"]
    assert [path.name for path in tmp_path.glob(".all-replaced-*")] == []


def test_a_stopped_multirun_that_has_saved_its_state_replaces_the_former_one(multirun, tmp_path):
    multirun("fine").succeeded()
    multirun("stops", "overwrite=true").stopped(130)
    assert (tmp_path / "all/0/checkpoints/last.ckpt").exists()
    assert [path.name for path in tmp_path.glob(".all-replaced-*")] == []


def test_in_a_folder_named_by_the_time_what_differs_is_said_and_begins_anew(multirun, calls, tmp_path):
    named = "hydra.sweep.dir=many/${now:%Y}"
    multirun("fine", named).succeeded()
    calls()
    (first,) = (tmp_path / "many").iterdir()
    outcome = multirun("fine", named, code="other").succeeded()
    assert f"new         many/{first.name} is of this line, but code own → other: this one begins anew" in outcome.out
    assert calls() == [f"begin many/{first.name}_2/0"]
    multirun("fine", named).succeeded()
    assert calls() == []
    multirun("fine", named, "overwrite=true").succeeded()
    assert calls() == [f"begin many/{first.name}_3/0"]


def test_changed_settings_are_found_in_the_files_too(multirun, tmp_path):
    multirun("fine").succeeded()
    path = tmp_path / "all/line.json"
    line = json.loads(path.read_text(encoding="utf-8"))
    line["runs"][0]["settings"]["model"]["width"] = 5
    path.write_text(json.dumps(line), encoding="utf-8")
    multirun("fine").stopped(2, "model.width 5 → ")


def test_a_run_that_was_resumed_with_other_settings_is_not_taken_for_one_of_the_line(multirun, tmp_path):
    multirun("fine").succeeded()
    path = tmp_path / "all/0/result.json"
    resumed = [{"step": 3, "epochs": 1, "changed": {"trainer.max_epochs": [1, 2]}, "code": None}]
    path.write_text(json.dumps({**result_of(path.parent), "resumed": resumed}), encoding="utf-8")
    multirun("fine").stopped(2, "run 0 was resumed after step 3 with trainer.max_epochs 1 → 2")


def test_another_line_does_not_write_into_the_folder(multirun):
    multirun("fine").succeeded()
    multirun("fine,fails").stopped(2, "holds runs already", "overwrite=true")


def test_threads_are_those_that_are_set_or_the_cores_shared_out(multirun, tmp_path, monkeypatch):
    monkeypatch.setattr("hydra_pruning_sweeper.execution.slots.available_cores", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    multirun("fine").succeeded()
    multirun("fine", "hydra.sweep.dir=more", "hydra.launcher.threads=5").succeeded()
    lines = (tmp_path / "calls.txt").read_text().splitlines()
    assert [line.split()[-1] for line in lines] == ["3", "5"]


@pytest.mark.parametrize("setting", ["slots=0", "slots=many", "threads=none", "gpus=true"])
def test_a_setting_of_the_launcher_that_cannot_be_used_is_named(multirun, setting):
    multirun("fine", f"hydra.launcher.{setting}").stopped(2, f"hydra.launcher.{setting.partition('=')[0]} must be")
