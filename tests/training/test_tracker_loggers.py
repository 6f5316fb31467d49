"""Runs of Weights & Biases (offline) and MLflow: which run a folder has, what trials share, which one is the best."""

import json
import subprocess
import sys

import pytest
import yaml
from omegaconf import OmegaConf
from support import ROOT

from hydra_pruning_sweeper.execution.tracker_variables import tracker_variables
from seqlab.folders import RUN_FILES, TRACKED
from seqlab.training import tracked_runs
from seqlab.training.tracked_runs import mark_best, note_tracked, tracked
from seqlab.training.tracker_loggers import MlflowRun, WandbRun


@pytest.fixture
def wandb(monkeypatch, tmp_path):
    module = pytest.importorskip("wandb", reason="needs wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    yield module
    module.finish()


@pytest.fixture
def mlflow(monkeypatch, tmp_path):
    module = pytest.importorskip("mlflow", reason="needs mlflow")
    monkeypatch.chdir(tmp_path)
    before = module.get_tracking_uri()
    yield module
    module.set_tracking_uri(before)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Two trials that log with a tracker; gives the study's folder and what was marked: (trial, run, whether best)."""
    marked = []
    monkeypatch.setitem(
        tracked_runs.MARKS, "mlflow", lambda folder, note, best: marked.append((folder.name, note["run"], best))
    )
    for number in ("0", "10"):
        (tmp_path / number).mkdir()
        note_tracked(tmp_path / number, "mlflow", {"run": f"run-{number}", "tracking_uri": "x"})
    (tmp_path / "3").mkdir()
    return tmp_path, marked


def setting(tracker, name, monkeypatch, variables):
    """A setting of conf/logger, as a run called `toy` resolves it whose environment has these variables."""
    for known in ("WANDB_NAME", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(known, raising=False)
    for known, value in variables.items():
        monkeypatch.setenv(known, value)
    logger = yaml.safe_load((ROOT / f"conf/logger/{tracker}.yaml").read_text())[tracker]
    return OmegaConf.create({"name": "toy", "logger": logger}).logger[name]


def test_runs_outside_of_a_search_are_called_as_ever(monkeypatch):
    assert setting("wandb", "name", monkeypatch, {}) == "toy"
    assert setting("mlflow", "experiment_name", monkeypatch, {}) == "toy"
    assert setting("mlflow", "tracking_uri", monkeypatch, {}) == "sqlite:///outputs/mlflow.db"


def test_trials_share_an_experiment_and_have_their_numbers(monkeypatch):
    variables = tracker_variables("study", 7, {})
    assert setting("wandb", "name", monkeypatch, variables) == "study-7"
    assert setting("mlflow", "experiment_name", monkeypatch, variables) == "study"


def test_the_users_server_is_used(monkeypatch):
    server = {"MLFLOW_TRACKING_URI": "http://localhost:5000"}
    assert setting("mlflow", "tracking_uri", monkeypatch, server) == "http://localhost:5000"


def test_the_best_is_marked_and_loses_its_mark_to_a_better_one(study):
    folder, marked = study
    mark_best(folder, 0)
    assert marked == [("0", "run-0", True)]
    mark_best(folder, 0)
    assert len(marked) == 1  # nothing has changed
    mark_best(folder, 10)
    assert sorted(marked[1:]) == [("0", "run-0", False), ("10", "run-10", True)]
    assert tracked(folder / "10") == {"mlflow": {"run": "run-10", "tracking_uri": "x", "best": True}}


def test_all_pareto_trials_are_marked(study):
    folder, marked = study
    mark_best(folder, 0)
    mark_best(folder, [10, 0])
    assert marked == [("0", "run-0", True), ("10", "run-10", True)]


def test_a_tracker_that_fails_does_not_keep_the_others_from_being_marked(study, monkeypatch):
    folder, marked = study

    def fails(*_):
        raise OSError("no net")

    monkeypatch.setitem(tracked_runs.MARKS, "wandb", fails)
    note_tracked(folder / "0", "wandb", {"run": "a"})
    note_tracked(folder / "10", "wandb", {"run": "b", "best": True})
    with pytest.raises(OSError, match="no net"):
        mark_best(folder, 0)
    assert marked == [("0", "run-0", True)]
    assert tracked(folder / "0")["wandb"] == {"run": "a"}  # to be marked the next time


def test_a_new_run_in_a_folder_is_not_yet_the_best(tmp_path):
    note_tracked(tmp_path, "mlflow", {"run": "a", "best": True})
    note_tracked(tmp_path, "mlflow", {"run": "a"})
    assert tracked(tmp_path) == {"mlflow": {"run": "a", "best": True}}
    note_tracked(tmp_path, "mlflow", {"run": "b"})
    assert tracked(tmp_path) == {"mlflow": {"run": "b"}}


def test_a_search_without_trackers_imports_none_of_them(tmp_path):
    (tmp_path / "0").mkdir()
    code = (
        "import sys; from pathlib import Path; from seqlab.training.tracked_runs import mark_best;"
        f"mark_best(Path({str(tmp_path)!r}), 0); print({{'wandb', 'mlflow', 'torch', 'lightning'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_run_that_writes_over_another_begins_runs_of_its_own():
    assert TRACKED in RUN_FILES


def records(path):
    """The records of a W&B file: LevelDB's log format, after a header of 7 bytes."""
    from wandb.proto import wandb_internal_pb2

    data, at, begun = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # the rest of a block, in which no header fits
            at += 32768 - at % 32768
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        begun += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # the whole of a record, or its last piece
            record = wandb_internal_pb2.Record()
            record.ParseFromString(begun)
            yield record
            begun = b""


def recorded(folder):
    """What the offline files of a W&B run hold, in the order in which they were begun: (id, group, name, summary,
    config)."""
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb"), key=lambda one: one.stat().st_mtime_ns):
        run, summary, config = None, {}, {}
        for record in records(path):
            run = record.run if record.HasField("run") else run
            summary |= {one.key or one.nested_key[0]: json.loads(one.value_json) for one in record.summary.update}
            config |= {one.key or one.nested_key[0]: json.loads(one.value_json) for one in record.config.update}
        yield run.run_id, run.run_group, run.display_name, summary, config


def test_a_resumed_run_goes_on_in_wandb_and_may_be_the_best(wandb, tmp_path, monkeypatch):
    for name, value in tracker_variables("study", 3, {}).items():
        monkeypatch.setenv(name, value)
    wandb.teardown()  # what it read from the environment before
    folder = tmp_path / "3"
    folder.mkdir()
    logger = WandbRun(save_dir=str(folder), project="seqlab", name="study-3")
    logger.add_settings({"optimizer": {"lr": 0.5}})
    logger.log_metrics({"loss": 1.0}, step=0)
    first = logger.experiment.id
    resumed = WandbRun(save_dir=str(folder), project="seqlab", name="study-3")
    resumed.resume(1)
    resumed.add_settings({"optimizer": {"lr": 0.25}})
    resumed.log_metrics({"loss": 0.5}, step=1)  # finishes the other first, as in a multirun
    assert resumed.experiment.id == first
    wandb.finish()
    note = tracked(folder)["wandb"]
    assert (note["run"], note["group"], note["name"], note["mode"]) == (first, "study", "study-3", "offline")
    mark_best(tmp_path, 3)
    mark_best(tmp_path, 4)
    wandb.teardown()  # ends W&B's process, which writes the files
    parts = list(recorded(folder))
    assert [part[:3] for part in parts] == [(first, "study", "study-3")] * 4
    assert [part[3].get("loss") for part in parts] == [1.0, 0.5, None, None]
    assert [part[3].get("best") for part in parts] == [None, None, True, False]
    assert [part[4].get("optimizer") for part in parts] == [{"lr": 0.5}, {"lr": 0.25}, None, None]


def test_a_new_run_is_a_new_one_in_wandb(wandb, tmp_path):
    runs = [WandbRun(save_dir=str(tmp_path), project="seqlab").experiment.id for _ in range(2)]
    assert runs[0] != runs[1] == tracked(tmp_path)["wandb"]["run"]


def test_a_run_that_wandb_ignores_is_not_noted(wandb, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    wandb.teardown()
    WandbRun(save_dir=str(tmp_path), project="seqlab").log_metrics({"loss": 1.0}, step=0)
    assert tracked(tmp_path) == {}


def test_a_resumed_run_goes_on_in_mlflow_and_may_be_the_best(mlflow, tmp_path):
    def logger():
        return MlflowRun(str(tmp_path / "3"), f"sqlite:///{tmp_path}/outputs/mlflow.db", experiment_name="study")

    (tmp_path / "3").mkdir()
    one = logger()
    one.add_settings({"optimizer": {"lr": 0.5}, "seed": "${x}"})
    one.log_metrics({"loss": 1.0}, step=0)
    one.finalize("failed")
    resumed = logger()
    resumed.resume(1)
    resumed.add_settings({"optimizer": {"lr": 0.25}})
    assert one.experiment.get_run(one.run_id).info.status == "RUNNING"
    resumed.log_metrics({"loss": 0.5}, step=1)
    resumed.finalize("success")
    assert resumed.run_id == one.run_id
    run = one.experiment.get_run(one.run_id)
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 0.5})
    assert run.data.params == {"optimizer/lr": "0.5", "seed": "${x}"}
    for best, tag in ((3, "true"), (4, "false")):
        mark_best(tmp_path, best)
        assert one.experiment.get_run(one.run_id).data.tags["best"] == tag
    assert logger().run_id != one.run_id
    deleted = logger()
    deleted.experiment.delete_run(deleted.run_id)
    again = logger()
    again.resume(1)
    assert again.run_id != deleted.run_id


BEGINS = """
import sys, time
from pathlib import Path
from seqlab.training.tracker_loggers import MlflowRun
folder = Path(sys.argv[1])
folder.mkdir()
import mlflow.store.tracking.sqlalchemy_store
(folder / "ready").touch()
while len(list(folder.parent.glob("*/ready"))) < 3:
    time.sleep(0.01)
logger = MlflowRun(str(folder), f"sqlite:///{folder.parent}/outputs/mlflow.db", experiment_name="study")
for step in range(20):
    logger.log_metrics({"loss": 1.0 / (step + 1)}, step=step)
logger.finalize("success")
"""


def test_runs_that_begin_at_once_share_a_new_database(mlflow, tmp_path):
    started = [
        subprocess.Popen([sys.executable, "-c", BEGINS, str(tmp_path / str(number))], stderr=subprocess.PIPE, text=True)
        for number in range(3)
    ]
    for process in started:
        _, err = process.communicate(timeout=250)
        assert process.returncode == 0, err
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/outputs/mlflow.db")
    experiment = client.get_experiment_by_name("study")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_id for run in runs} == {tracked(tmp_path / str(n))["mlflow"]["run"] for n in range(3)}
    for run in runs:
        assert run.info.status == "FINISHED"
        assert len(client.get_metric_history(run.info.run_id, "loss")) == 20
