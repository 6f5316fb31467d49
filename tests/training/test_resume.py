"""A run that was killed, or stopped, ends as one that never was: bit for bit."""

import csv
import functools
import json
import math
import re

import pytest
import torch
from processes import forked, unwrapped
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SETTINGS = [
    "data=reversal",
    "data.samples=300",  # 150 in training: 10 batches an epoch
    "data.batch_size=16",
    "model=bahdanau",
    "model.width=11",
    "model.embedding=7",
    "model.dropout=0.3",  # draws random numbers at every step
    "scheduler=one_cycle",
    "trainer=cpu",
    "trainer.max_epochs=3",
    "trainer.log_every_n_steps=1",
    "callbacks.saver.every_n_steps=3",
]

# Four optimizer steps an epoch, of two batches each; the loader has two batches more than are asked for.
ACCUMULATED = ("trainer.accumulate_grad_batches=2", "+trainer.limit_train_batches=8")

# Random choices within a step, a schedule that follows validations, weights that are gathered as training goes.
FOLLOWED = (
    *("objective.teacher_forcing=0.5", "objective.label_smoothing=0.1", "initialisation.scheme=normal"),
    *("scheduler=plateau", "scheduler.patience=0", "scheduler.threshold=0.9", "freeze=source_input"),
    *("weights=average", "average.checkpoints=2", "average.of=best"),
)

LAST = (*ACCUMULATED, "scheduler=none", "weights=average", "average.checkpoints=2")

# The saves of every third step come with a validation.
VALIDATED = (
    *FOLLOWED,
    *("trainer.check_val_every_n_epoch=null", "+trainer.val_check_interval=3"),
    *("callbacks=early_stopping", "callbacks.early_stopping.patience=100"),
)

# A limit within the third epoch.
STEPS = ("trainer.max_epochs=-1", "trainer.max_steps=25")

# On a CPU the steps are done eagerly, on the buffers that graphs would have.
GRAPHS = ("cuda_graphs=true",)

ON_GPU = ("trainer.accelerator=gpu", "+trainer.deterministic=true")

# Callbacks whose states depend on nothing but the steps and validations.
FOLLOWING = ("RandomStates", "Saver", "EarlyStopping", "Averager")

# With anything changed the optimizer and the schedule are led to where they were, not restored.
OF_NO_ACCOUNT = ("trainer.num_sanity_val_steps=0", "callbacks.saver.every_n_steps=100")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Gives the run with some more settings that nothing happens to."""

    @functools.cache
    def run(*more):
        folder = tmp_path_factory.mktemp("whole")
        done = forked(folder, *SETTINGS, *more, f"hydra.run.dir={folder}/run")
        assert done.returncode == 0, done.stderr
        return folder / "run"

    return run


def checkpoint(run):
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)


def states(content, name):
    """Those of the callbacks whose name begins so."""
    return {key: state for key, state in content["callbacks"].items() if key.startswith(name)}


def rows(run):
    with (run / "metrics.csv").open(newline="") as file:
        return [sorted((k, v) for k, v in row.items() if v) for row in csv.DictReader(file)]


def events(run):
    log = EventAccumulator(str(run / "tensorboard")).Reload()
    return {tag: [(one.step, one.value) for one in log.Scalars(tag)] for tag in log.Tags()["scalars"]}


def assert_same(one, other, where="checkpoint"):
    """Equal to the bit, however nested."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    else:
        assert one == other, where


def assert_ended_alike(run, whole_run):
    mine, whole = checkpoint(run), checkpoint(whole_run)
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch", "train_loss"):
        assert_same(mine[part], whole[part], part)
    for name in FOLLOWING:
        assert_same(*(states(one, name) for one in (mine, whole)), name)


# 14 is in the middle of the second epoch; 10 is the first step after an epoch's end.
@pytest.mark.parametrize(
    ("name", "step", "code", "more", "changed"),
    [
        ("SIGKILL", 14, -9, (), ()),
        ("SIGKILL", 10, -9, (), OF_NO_ACCOUNT),
        ("SIGINT", 14, 130, (), ()),
        ("SIGINT", 5, 130, ACCUMULATED, ()),
        ("SIGKILL", 9, -9, ACCUMULATED, OF_NO_ACCOUNT),
        ("SIGKILL", 14, -9, FOLLOWED, OF_NO_ACCOUNT),
        ("SIGKILL", 14, -9, VALIDATED, ()),
        ("SIGKILL", 14, -9, VALIDATED, OF_NO_ACCOUNT),
        ("SIGINT", 5, 130, VALIDATED, ()),
        ("SIGKILL", 10, -9, STEPS, OF_NO_ACCOUNT),
        ("SIGKILL", 14, -9, GRAPHS, ()),
        ("SIGINT", 5, 130, GRAPHS + ACCUMULATED, ()),
        pytest.param("SIGKILL", 14, -9, GRAPHS + ON_GPU, (), marks=pytest.mark.gpu),
        pytest.param("SIGKILL", 10, -9, GRAPHS + ON_GPU, OF_NO_ACCOUNT, marks=pytest.mark.gpu),
        pytest.param("SIGINT", 5, 130, GRAPHS + ON_GPU + ACCUMULATED, (), marks=pytest.mark.gpu),
        pytest.param("SIGKILL", 14, -9, (*ON_GPU, "cuda_graphs=false"), (), marks=pytest.mark.gpu),
    ],
)
def test_a_resumed_run_ends_like_an_uninterrupted_one(uninterrupted, tmp_path, name, step, code, more, changed):
    run, whole_run = tmp_path / "run", uninterrupted(*more)
    signals = [
        "+callbacks.signal._target_=signals.SendSignal",
        f"+callbacks.signal.name={name}",
        f"+callbacks.signal.step={step}",
        f"+callbacks.signal.marker={tmp_path}/sent",
    ]
    stopped = forked(tmp_path, *SETTINGS, *more, *signals, f"hydra.run.dir={run}")
    assert stopped.returncode == code, stopped.stderr
    assert not (run / "result.json").exists()
    assert not list(run.rglob("*.tmp"))
    if name == "SIGINT":
        assert unwrapped(stopped.stderr).startswith("stopped: the run goes on with seqlab-train resume=")
        assert checkpoint(run)["global_step"] == step + 1

    resumed = forked(tmp_path, f"resume={run}", *changed)
    assert resumed.returncode == 0, resumed.stderr
    lines = re.findall(r"^(?:epoch|step) .* ([\d.]+) s$", resumed.stdout, re.MULTILINE)
    assert lines
    assert all(float(seconds) < 60 for seconds in lines)  # of the part after the stop, not since some other beginning
    assert_ended_alike(run, whole_run)
    assert rows(run) == rows(whole_run)
    assert events(run) == events(whole_run)
    assert (run / "bundle/weights.safetensors").read_bytes() == (whole_run / "bundle/weights.safetensors").read_bytes()


# Neither schedule knows how long the run will be.
@pytest.mark.parametrize(
    ("limit", "more"),
    [(7, ("scheduler=none",)), (10, ("scheduler=none",)), (17, FOLLOWED), (3, VALIDATED), (6, LAST)],
)
def test_a_run_that_goes_on_after_its_last_step_ends_like_a_longer_one(uninterrupted, tmp_path, limit, more):
    """Within an epoch, at its end, in the second one; with a validation after the step; with two batches a step."""
    run, more = tmp_path / "run", (*STEPS, "measure=false", *more)
    whole_run = uninterrupted(*more)
    for settings in (
        (*SETTINGS, *more, f"trainer.max_steps={limit}", f"hydra.run.dir={run}"),
        (f"resume={run}", STEPS[1]),
    ):
        done = forked(tmp_path, *settings)
        assert done.returncode == 0, done.stderr
    assert_ended_alike(run, whole_run)
    further = [dict(row) for row in rows(run) if row not in rows(whole_run)]
    assert [row["step"] for row in further] == [str(limit - 1)] * (limit % 10 > 0)  # the mean loss of the cut-off epoch
    assert len(rows(run)) == len(rows(whole_run)) + len(further)


@pytest.mark.parametrize("steps", [7, 20])
def test_a_finished_run_that_is_resumed_has_the_same_result(tmp_path, steps):
    run = tmp_path / "run"
    results = []
    for settings in ((*SETTINGS, f"trainer.max_steps={steps}", f"hydra.run.dir={run}"), (f"resume={run}",)):
        done = forked(tmp_path, *settings)
        assert done.returncode == 0, done.stderr
        results.append(json.loads((run / "result.json").read_text()))
    assert [result["epochs"] for result in results] == [math.ceil(steps / 10)] * 2
    assert results[0]["steps"] == results[1]["steps"]
    assert results[0]["metrics"] == results[1]["metrics"]


@pytest.mark.parametrize(
    ("more", "eagerly"),
    [
        ((), ()),
        (ACCUMULATED, ()),
        (FOLLOWED, ()),
        pytest.param(ON_GPU, ("cuda_graphs=false",), marks=pytest.mark.gpu),
        pytest.param(ON_GPU + ACCUMULATED, ("cuda_graphs=false",), marks=pytest.mark.gpu),
    ],
)
def test_captured_steps_train_like_eager_ones(uninterrupted, more, eagerly):
    """To the bit: batches have few shapes here, so that none is padded further."""
    eager, captured = uninterrupted(*eagerly, *more), uninterrupted(*GRAPHS, *more)
    for part in ("state_dict", "optimizer_states", "train_loss"):
        assert_same(checkpoint(captured)[part], checkpoint(eager)[part], part)
    assert rows(captured) == rows(eager)
    facts = json.loads((captured / "result.json").read_text())["cuda_graphs"]
    assert facts["steps"] > facts["replayed"] > 0
    assert 1 < facts["graphs"] <= facts["steps"] - facts["replayed"]
    assert facts["lengths_rounded_to"] == 1
