"""Trials over Hydra's launchers, of a Hydra application that knows nothing of seqlab's models."""

import csv
import subprocess
import sys
import time

import pytest
from sweeper_support.simulation import path

HANGS = 180  # seconds
APPLICATION = """
import os, signal, time
import hydra
from hydra_pruning_sweeper.errors import InterruptionError
from hydra_pruning_sweeper.trial.context import context_of_trial
from hydra_pruning_sweeper.trial.reporter import reporter

@hydra.main(version_base=None, config_path=None)
def main(config):
    told, marker = reporter(), os.path.dirname(context_of_trial().folder) + "/stumbled"
    if config.name != "well" and not os.path.exists(marker):
        open(marker, "w").close()
        if config.name == "dies": os.kill(os.getpid(), signal.SIGKILL)
        if config.name == "stops": raise InterruptionError("told to stop")
        if config.name == "hangs": time.sleep(HANGS)
    for step in range(1, 4):
        if told.report(step, config.seed / step, last=step == 3):
            return None
    return config.seed / 3

main()
"""
COMMAND = """
from seqlab.cli import run_command
from seqlab.errors import InputError

def task(config):
    raise {"foreseen": InputError, "unforeseen": ValueError}[config.name]("nothing but trouble")

run_command("train", task)
"""


@pytest.fixture
def sweep(tmp_path):
    """Runs a sweep over a launcher and gives its trials."""

    def run(launcher, how="well", *more, application=APPLICATION, code=0):
        if launcher == "ray":  # which wants other versions than constraints.txt, so that it is not among the tests' own
            pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="hydra-ray-launcher is not installed")
        (tmp_path / "application.py").write_text(application.replace("HANGS", str(HANGS)))
        arguments = [
            *("-m", "hydra/sweeper=pruning", f"hydra/launcher={launcher}", "++seed=interval(0,1)", f"++name={how}"),
            *("hydra.sweeper.n_trials=3", "hydra.sweeper.slots=2", "hydra.sweeper.baseline=false"),
            *("hydra.sweeper.seed=1", "hydra.sweep.dir=study", *more),
        ]
        line = [sys.executable, "application.py", *arguments]
        environment = {**path(), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=200, env=environment)
        assert done.returncode == code, done.stdout + done.stderr
        with (tmp_path / "study/trials.csv").open(newline="") as file:
            return list(csv.DictReader(file)), done.stdout

    return run


def assert_complete(rows):
    for row in rows:
        assert (row["state"], row["steps"]) == ("complete", "3")
        assert float(row["value"]) == pytest.approx(float(row["seed"]) / 3)


ALL = ["joblib", *(pytest.param(launcher, marks=pytest.mark.slow) for launcher in ("submitit_local", "ray"))]
LAUNCHERS = pytest.mark.parametrize("launcher", ALL)


@LAUNCHERS
def test_a_launcher_runs_trials(sweep, launcher):
    rows, _ = sweep(launcher)
    assert_complete(rows)
    assert [row["trial"] for row in rows] == ["0", "1", "2"]


@LAUNCHERS
@pytest.mark.parametrize("how", ["dies", "stops"])
def test_a_trial_that_dies_under_a_launcher_goes_on_as_the_same_trial(sweep, launcher, how, tmp_path):
    rows, out = sweep(launcher, how)
    assert_complete(rows)
    assert len(rows) == 3
    assert " died (" in out
    assert (tmp_path / "study/stumbled").exists()


@LAUNCHERS
@pytest.mark.parametrize(("how", "said"), [("foreseen", ""), ("unforeseen", "ValueError: ")])
def test_why_a_command_failed_under_a_launcher_is_in_the_study(sweep, launcher, how, said):
    rows, _ = sweep(launcher, how, "hydra.sweeper.max_retry=0", application=COMMAND, code=1)
    assert {row["state"] for row in rows} == {"fail"}
    assert {row["error"] for row in rows} == {f"{said}nothing but trouble"}


@pytest.mark.slow
@LAUNCHERS
def test_a_trial_that_hangs_under_a_launcher_is_ended_and_tried_again(sweep, launcher):
    began = time.monotonic()
    rows, _ = sweep(launcher, "hangs", "hydra.sweeper.max_silence=20")
    assert time.monotonic() - began < HANGS
    assert "no sign of life for 20 s" in {row["error"] for row in rows}
    assert len([row for row in rows if row["state"] == "complete"]) == 3
    assert_complete([row for row in rows if row["state"] != "fail"])
