"""What a trial's environment says to Weights & Biases and MLflow."""

import json

import pytest

from hydra_pruning_sweeper.execution.tracker_variables import RUN_CONTEXT, tracker_variables


def test_trials_of_a_study_are_a_group_of_named_runs():
    assert tracker_variables("it's one", 7, {}) == {
        "WANDB_RUN_GROUP": "it's one",
        "WANDB_NAME": "it's one-7",
        "MLFLOW_EXPERIMENT_NAME": "it's one",
        RUN_CONTEXT: json.dumps({"study": "it's one", "trial": "7", "mlflow.runName": "it's one-7"}),
    }


@pytest.mark.parametrize("name", ["WANDB_RUN_GROUP", "WANDB_NAME", "MLFLOW_EXPERIMENT_NAME"])
def test_what_the_user_has_set_stays(name):
    assert name not in tracker_variables("study", 7, {name: "mine"})
    assert len(tracker_variables("study", 7, {name: "mine"})) == 3


def test_an_experiment_that_the_user_names_by_its_id_stays():
    assert "MLFLOW_EXPERIMENT_NAME" not in tracker_variables("study", 7, {"MLFLOW_EXPERIMENT_ID": "3"})


def test_the_users_tags_are_kept_and_win():
    around = {RUN_CONTEXT: '{"team": "a", "study": "mine"}'}
    tags = json.loads(tracker_variables("study", 7, around)[RUN_CONTEXT])
    assert tags == {"team": "a", "study": "mine", "trial": "7", "mlflow.runName": "study-7"}


@pytest.mark.parametrize("text", ["no json", "[1]"])
def test_what_is_no_tags_is_left_to_mlflow(text):
    assert RUN_CONTEXT not in tracker_variables("study", 7, {RUN_CONTEXT: text})


def test_mlflow_reads_them(monkeypatch):
    registry = pytest.importorskip("mlflow.tracking.context.registry", reason="needs mlflow")
    for name, value in tracker_variables("study", 7, {}).items():
        monkeypatch.setenv(name, value)
    tags = registry.resolve_tags({"own": "tag"})
    assert {name: tags[name] for name in ("study", "trial", "mlflow.runName", "own")} == {
        **{"study": "study", "trial": "7", "mlflow.runName": "study-7"},
        "own": "tag",
    }


def test_wandb_reads_them(monkeypatch):
    wandb = pytest.importorskip("wandb", reason="needs wandb")
    for name, value in tracker_variables("study", 7, {}).items():
        monkeypatch.setenv(name, value)
    settings = wandb.Settings()
    settings.update_from_env_vars(dict(tracker_variables("study", 7, {})))
    assert (settings.run_group, settings.run_name) == ("study", "study-7")
