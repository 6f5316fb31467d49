"""Environment variables by which Weights & Biases and MLflow show the trials of a study as one group."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

RUN_CONTEXT = "MLFLOW_RUN_CONTEXT"  # tags that MLflow puts on every run, as JSON


def tracker_variables(study: str, number: int, around: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables for a trial; those that the user has set, which are `around`, stay as they are.

    In W&B the study is a group. In MLflow it is an experiment, unless the application names another; the tags `study`
    and `trial` find its runs there, too. In both a run is called STUDY-NUMBER, unless the application names it.
    """
    name = f"{study}-{number}"
    variables = {"WANDB_RUN_GROUP": study, "WANDB_NAME": name, "MLFLOW_EXPERIMENT_NAME": study}
    if "MLFLOW_EXPERIMENT_ID" in around:  # MLflow refuses an id together with another experiment's name
        del variables["MLFLOW_EXPERIMENT_NAME"]
    added = {key: value for key, value in variables.items() if key not in around}
    tags = _tags(around.get(RUN_CONTEXT, "{}"))
    if tags is not None:
        added[RUN_CONTEXT] = json.dumps({"study": study, "trial": str(number), "mlflow.runName": name, **tags})
    return added


def _tags(text: str) -> dict[str, object] | None:
    """The user's tags; None if they are no JSON object, which is then left for MLflow to complain about."""
    try:
        tags = json.loads(text)
    except ValueError:
        return None
    return tags if isinstance(tags, dict) else None
