"""A sweep from the command line: real trainings, pruned, killed and gone on with; the best one run as it is."""

import csv
import os
import shlex
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf

from hydra_pruning_sweeper.study.journal import journal_storage
from hydra_pruning_sweeper.study.record import SweepRecord

SPACE = (
    "optimizer.lr=tag(log,interval(1e-3,1e-1))",
    "model.width=choice(5,7,11)",
)
SWEEP = (
    *("-m", "+sweeps=free", "hydra.sweeper.study=study", "hydra.sweeper.seed=1"),
    *("model=gru", "model.embedding=5", "trainer=cpu", "trainer.max_epochs=9", "trainer.log_every_n_steps=1"),
    *("data=reversal", "data.largest=5", "data.max_length=4", "data.samples=200", "data.batch_size=20"),
    "callbacks.saver.every_n_steps=2",
)


TIMES = ("seconds", "paused at", "promoted at")


def trials(folder):
    """The rows of a sweep's table, without times."""
    with (folder / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


PATHS = os.pathsep.join(filter(None, (str(Path(__file__).parents[1] / "training"), os.environ.get("PYTHONPATH"))))


KILLED = (
    "+callbacks.signal._target_=signals.SendSignal",
    "+callbacks.signal.name=SIGKILL",
    "+callbacks.signal.step=13",
    "+callbacks.signal.marker=${hydra:runtime.output_dir}/killed",
)


@pytest.fixture
def sweep_of_mine(process, tmp_path):
    """Runs `command.py` with some text as a sweep; the server of its trials spares itself Lightning, which takes long.

    Where Lightning is not installed it does so, too.
    """
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['lightning'] = None\n")

    def run(text, *typed):
        (tmp_path / "command.py").write_text(text)
        limits = ("hydra.sweeper.baseline=false", "hydra.sweeper.max_retry=0", "hydra.sweep.dir=study")
        return process("command.py", *typed, *limits, PYTHONPATH=tmp_path)

    return run


@pytest.fixture
def sweep(process, tmp_path):
    """Runs a sweep into the folder `name` and gives its Outcome and folder."""

    def run(name, count, *more):
        (tmp_path / name).mkdir()
        arguments = (*SWEEP, *SPACE, f"hydra.sweeper.n_trials={count}", "hydra.sweep.dir=study", *more)
        outcome = process("-m", "seqlab.train", *arguments, folder=tmp_path / name, PYTHONPATH=PATHS)
        return outcome.succeeded(), tmp_path / name / "study"

    return run


def last_line(outcome):
    """The arguments of the line that runs the best configuration."""
    (line,) = (line for line in outcome.out.splitlines() if line.startswith("run it with"))
    program, *typed = shlex.split(line.removeprefix("run it with"))
    assert program == "python"
    return typed


def test_a_sweep_survives_kills_and_leaves_what_can_be_run(sweep, process):
    outcome, folder = sweep("killed", 3, *KILLED)
    assert "died (SIGKILL)" in outcome.out
    assert "baseline    none, trial 0 is chosen like all others: model.width is 256" in outcome.out
    assert outcome.err == ""
    rows = trials(folder)
    assert len(rows) == 3
    assert {row["state"] for row in rows} <= {"complete", "pruned"}
    assert {row["steps"] for row in rows if row["state"] == "pruned"} <= {"1", "3"}
    for number in range(3):
        for kept in ("log.txt", ".hydra/config.yaml", "metrics.csv", "checkpoints/last.ckpt", "tensorboard"):
            assert (folder / str(number) / kept).exists()
        assert not (folder / str(number) / "result.json").exists()  # the test split is for the best alone

    shown = process(*last_line(outcome), "--cfg", "job", folder=folder.parent, PYTHONPATH=PATHS).succeeded().out
    best = min((row for row in rows if row["state"] == "complete"), key=lambda row: float(row["value"]))
    config = OmegaConf.create(shown)
    assert config.optimizer.lr == float(best["optimizer.lr"])
    assert config.model.width == int(best["model.width"])
    assert (config.data.samples, config.measure, config.model._target_.split(".")[-1]) == (200, True, "FixedVector")


def test_without_a_study_those_that_are_there_are_listed(command, tmp_path):
    assert "no study is in outputs/sweeps;\nto begin one:" in command("sweep", "status").succeeded().out
    folder = tmp_path / "outputs/sweeps/mine"
    study = optuna.create_study(study_name="s", storage=journal_storage(folder / "journal.log"))
    study.tell(study.ask(), 0.5)
    SweepRecord("s", str(folder / "journal.log"), "minimize", 20).write(folder)
    lines = command("sweep", "status").succeeded().out.splitlines()
    assert lines[0].split() == ["study", "complete", "planned", "best", "last", "active"]
    assert lines[1].split()[:4] == ["mine", "1", "20", "0.5"]
    assert lines[2:] == ["", "to look at one: seqlab-sweep status study=NAME"]
    folders = command("sweep", "status", f"folder={tmp_path}/outputs/sweeps").succeeded().out
    assert folders.endswith(f"study=NAME folder={tmp_path}/outputs/sweeps\n")
    assert "1 of 20 trials finished" in command("sweep", "status", "study=mine").succeeded().out
    command("sweep", "best").stopped(2, "study is not set; type study=…")


COMMAND = """
from seqlab.cli import run_command

def task(config):
    return config.seed

run_command("train", task)
"""


def test_trials_of_a_search_that_asks_for_a_multirun_itself_are_single_runs(sweep_of_mine, tmp_path):
    (tmp_path / "conf/sweeps").mkdir(parents=True)
    (tmp_path / "conf/sweeps/mine.yaml").write_text("# @package _global_\nhydra: {mode: MULTIRUN}\n")
    typed = ("--config-dir=conf", "+sweeps=mine", "hydra/sweeper=pruning", "seed=interval(0,1)")
    sweep_of_mine(COMMAND, *typed, "hydra.sweeper.n_trials=2").succeeded()
    assert [row["state"] for row in trials(tmp_path / "study")] == ["complete", "complete"]
    assert OmegaConf.load(tmp_path / "study/0/.hydra/hydra.yaml").hydra.mode == "RUN"


REFUSING = """
from seqlab.cli import run_command
from seqlab.errors import InputError

def task(config):
    raise InputError("x: no good")

run_command("train", task)
"""


def test_a_trial_says_in_one_line_what_it_refuses(sweep_of_mine, tmp_path):
    typed = ("-m", "hydra/sweeper=pruning", "seed=interval(0,1)", "hydra.sweeper.n_trials=1")
    sweep_of_mine(REFUSING, *typed).stopped(1, "trial 0: x: no good")
    command, *said = (tmp_path / "study/0/log.txt").read_text().splitlines()
    assert command.startswith("$ ")
    assert said == ["error: x: no good"]


@pytest.mark.slow
def test_a_killed_sweep_equals_one_that_was_not_and_the_best_runs_as_it_is(sweep, process):
    (outcome, calm), (_, killed) = sweep("calm", 6), sweep("killed", 6, *KILLED)
    assert trials(killed) == trials(calm)
    assert {row["state"] for row in trials(calm)} == {"complete", "pruned"}
    typed = (*last_line(outcome), "hydra.run.dir=again")
    assert process(*typed, folder=calm.parent, PYTHONPATH=PATHS).succeeded().err == ""
    assert (calm.parent / "again/result.json").is_file()


@pytest.mark.slow
def test_trials_that_train_on_two_processes_come_to_what_one_comes_to(sweep):
    few = "trainer.max_epochs=2"
    (_, one), (_, two) = (
        sweep("one", 2, few),
        sweep("two", 2, few, "trainer.strategy=ddp", "trainer.devices=2"),
    )
    for alone, shared in zip(trials(one), trials(two), strict=True):
        assert float(shared.pop("value")) == pytest.approx(float(alone.pop("value")), abs=1e-5)
        assert shared == alone
