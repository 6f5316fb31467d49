"""Folders of finished runs, as training leaves them, around bundles that were not trained."""

import contextlib
import json

import yaml

from seqlab.config.component import Component
from seqlab.config.data_and_model import build_data

CHARACTERS = {"_target_": "seqlab.text.tokenizers.CharacterTokenizer.fit", "_partial_": True}

METRICS = {"val": {"teacher_forced/loss": 1.0}}


def made_run(folder, bundle, data, started=None):
    """The folder of a run that was trained on `data` (settings) and started in the folder `started`."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / "bundle").symlink_to(bundle, target_is_directory=True)
    keep_settings(folder, data, started)
    with contextlib.chdir(started or folder):
        identity = build_data(Component("data", {**data, "cache": str(folder / "cache")})).identity()
    result = {"name": "made", "seed": 1, "identity": {"data": identity}, "metrics": METRICS}
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def keep_settings(folder, data, started=None):
    config = {"seed": 1, "data": data, "free_running": {"metrics": {}}}
    (folder / ".hydra/config.yaml").write_text(yaml.safe_dump(config))
    runtime = {"cwd": str(started or folder), "config_sources": []}
    hydra = {"hydra": {"runtime": runtime, "job": {"config_name": "train"}, "overrides": {"hydra": []}}}
    (folder / ".hydra/hydra.yaml").write_text(yaml.safe_dump(hydra))
