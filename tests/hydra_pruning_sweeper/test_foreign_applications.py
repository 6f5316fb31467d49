"""The sweeper alone, from its wheel, in applications that know nothing of seqlab: no package is there that they or the
sweeper do not need."""

import csv
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support import ROOT, built_wheel

COMMAND = "from hydra_pruning_sweeper.views.console_script import main; main()"
"""What the console script `hydra-pruning-sweeper` does."""
PLAIN = """
import hydra

@hydra.main(version_base="1.3", config_path="conf", config_name="app")
def main(config):
    if config.x > 3:
        raise RuntimeError(f"no data for\\nx={config.x:.0f}")
    return (config.x - 1) ** 2

if __name__ == "__main__":
    main()
"""
LIGHTNING = """
import os, signal
from pathlib import Path

import hydra
import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from hydra_pruning_sweeper.trial.lightning_callback import TrialReport
from torch.utils.data import DataLoader

class Line(LightningModule):
    def __init__(self, rate):
        super().__init__()
        self.rate, self.layer = rate, torch.nn.Linear(1, 1)

    def training_step(self, x):
        return torch.nn.functional.mse_loss(self.layer(x), 3 * x + 1)

    def validation_step(self, x):
        self.log("loss", self.training_step(x))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate)

class Killed(Callback):
    \"\"\"Kills the trial once, after two epochs.\"\"\"

    def on_train_epoch_end(self, trainer, module):
        once = Path.cwd() / "killed"
        if trainer.current_epoch == 2 and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)

@hydra.main(version_base="1.3", config_path="conf", config_name="app")
def main(config):
    seed_everything(1, verbose=False)
    data = DataLoader(torch.linspace(-1, 1, 20).unsqueeze(1), batch_size=4)
    folder = Path(hydra.core.hydra_config.HydraConfig.get().runtime.output_dir)
    keep = ModelCheckpoint(folder / "checkpoints", save_last=True)
    trainer = Trainer(
        accelerator="cpu", max_epochs=6, logger=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[TrialReport("loss"), keep, Killed()],
    )
    trainer.fit(Line(config.rate), data, data, ckpt_path=config.ckpt_path)
    with open(folder / "epochs", "a") as log:
        print(config.ckpt_path, trainer.current_epoch, file=log)
    return float(trainer.callback_metrics["loss"])

if __name__ == "__main__":
    main()
"""


def closure(*names):
    """These distributions and all that they need."""
    known, left = set(), list(names)
    while left:
        if (name := re.sub(r"[-_.]+", "-", left.pop()).lower()) not in known:
            known.add(name)
            needed = map(Requirement, importlib.metadata.requires(name) or ())
            left += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return known


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """Makes an environment of its own, with the sweeper's wheel and links to some installed distributions, and writes
    an application; gives a function that runs the application."""
    wheel = built_wheel(ROOT / "src", tmp_path_factory.mktemp("wheel"))

    def make(script, config, *distributions):
        folder = tmp_path_factory.mktemp("application")
        venv.create(folder / ".venv")
        (site,) = (folder / ".venv/lib").glob("python*/site-packages")
        for one in closure(*distributions):
            for path in {Path(file).parts[0] for file in importlib.metadata.files(one)} - {"..", "__pycache__"}:
                target = importlib.metadata.distribution(one).locate_file(path)
                if not (site / path).exists():
                    (site / path).symlink_to(target)
        zipfile.ZipFile(wheel).extractall(site)
        (folder / "conf").mkdir()
        (folder / "conf/app.yaml").write_text(config)
        (folder / "app.py").write_text(script)

        def run(*arguments, code=0, **environment):
            clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HYDRA"))}
            done = subprocess.run(
                [folder / ".venv/bin/python", *arguments],
                cwd=folder,
                env={**clean, "OMP_NUM_THREADS": "1", **environment},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == code, done.stdout + done.stderr
            return done

        return folder, run

    return make


@pytest.fixture(scope="module")
def plain(application):
    """An application with nothing but Hydra, whose configuration asks for a multirun itself."""
    mode = "hydra: {mode: MULTIRUN, sweeper: {n_trials: 4, max_retry: 0, max_failure_rate: 1}}"
    config = f"defaults: [_self_, {{override hydra/sweeper: pruning}}]\nx: 2.0\n{mode}\n"
    return application(PLAIN, config, "hydra-core", "optuna", "rich")


def rows(folder):
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def test_no_other_package_is_there(plain):
    _, run = plain
    for name in ("seqlab", "torch", "lightning", "matplotlib"):
        assert "No module named" in run("-c", f"import {name}", code=1).stderr


def test_a_multirun_of_its_configuration_searches_and_the_same_line_goes_on(plain):
    folder, run = plain
    shown = run("app.py", "x=interval(0,5)").stdout
    first = rows(folder / "multirun/app")
    assert sum(row["state"] == "complete" for row in first) == 4
    assert "failed after 0: RuntimeError: no data for best" in " ".join(shown.split())
    run("app.py", "x=interval(0,5)", "hydra.sweeper.n_trials=6")
    then = rows(folder / "multirun/app")
    assert then[: len(first)] == first
    assert sum(row["state"] == "complete" for row in then) == 6
    best = run("app.py", "--config-dir=multirun/app", "--config-name=best").stdout
    assert "study" not in best  # a run of it, although its configuration still says MULTIRUN
    listed = run("-c", COMMAND).stdout
    assert re.search(r"^app\s+6\s", listed, re.MULTILINE)


def test_what_draws_is_named_where_it_is_missing(plain):
    _, run = plain
    stopped = run("-c", COMMAND, "plot", "multirun/app", code=2)
    line = r"error: plots need matplotlib, which is not installed; type \S*pip install matplotlib"
    assert re.fullmatch(line, " ".join(stopped.stderr.split()))


def test_seqlab_s_groups_are_not_in_the_help_of_others(plain):
    folder, _ = plain
    done = subprocess.run(
        [sys.executable, "app.py", "--help"], cwd=folder, capture_output=True, text=True, check=True
    )  # an environment in which seqlab is installed, too
    assert "sweeps" not in done.stdout
    assert "sizes" not in done.stdout


def test_a_lightning_trial_that_was_killed_goes_on_from_the_application_s_checkpoint(application):
    pytest.importorskip("lightning", reason="lightning is not installed")
    hydra = "hydra: {sweeper: {n_trials: 2, checkpoint: checkpoints/last.ckpt, resume: ckpt_path}}"
    config = f"defaults: [_self_, {{override hydra/sweeper: pruning}}]\nrate: 0.1\nckpt_path: null\n{hydra}\n"
    folder, run = application(LIGHTNING, config, "hydra-core", "optuna", "rich", "lightning")
    search = ["app.py", "-m", "rate=interval(0.01,0.5)", "hydra.sweeper.resume_from=checkpoint"]
    shown = run(*search, "hydra.job.chdir=false").stdout
    assert "trial 0 died (SIGKILL): it goes on from where it was" in shown
    assert {row["state"] for row in rows(folder / "multirun/app")} == {"complete"}
    events = [json.loads(line) for line in (folder / "multirun/app/0/events.jsonl").read_text().splitlines()]
    assert [one["step"] for one in events if one["event"] == "reported"] == [1, 2, 3, 4, 5, 6]
    checkpoint = (folder / "multirun/app/0/checkpoints/last.ckpt").resolve()
    assert (folder / "multirun/app/0/epochs").read_text() == f"{checkpoint} 6\n"
