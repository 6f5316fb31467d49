"""The mean of checkpoints: of the right ones, by hand, with no file left over or lost."""

from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from safetensors.torch import load_file
from torch import nn

from seqlab.errors import InputError
from seqlab.training.callbacks.checkpoints import Saver
from seqlab.training.callbacks.weight_averaging import Averager


class Counting(LightningModule):
    """A weight, in two places, and a counter."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.tied = self.weight
        self.register_buffer("count", torch.tensor(0))


def trainer(step, value):
    facts = {"sanity_checking": False, "is_global_zero": True, "state": SimpleNamespace(fn="fit")}
    return mock.Mock(spec=Trainer, global_step=step, callback_metrics={"val/loss": value}, **facts)


def run(averager, values, model=None, first=1):
    """An epoch of ten steps a value; the weights after it are powers of three, so that a sum tells its terms."""
    model = model or Counting()
    for epoch, value in enumerate(values, first):
        with torch.no_grad():
            model.weight[:] = torch.tensor([3.0**epoch, -(3.0**epoch)])
            model.count += 1
        averager.on_validation_end(trainer(10 * epoch, value), model)
        averager.on_train_epoch_end(trainer(10 * epoch, value), model)
    return model


def files(folder):
    return sorted(int(path.stem.removeprefix("step_")) for path in folder.iterdir())


VALUES = [5.0, 2.0, 4.0, float("nan"), 3.0, 2.0]


@pytest.mark.parametrize(
    ("of", "mode", "epochs"),
    [("last", "min", [4, 5, 6]), ("best", "min", [2, 5, 6]), ("best", "max", [1, 3, 5])],
)
def test_the_average_is_that_of_the_chosen_epochs(tmp_path, of, mode, epochs):
    averager = Averager(Saver(tmp_path, "val/loss", mode), checkpoints=3, of=of)
    run(averager, VALUES)
    averager.on_train_end(trainer(60, 0.0), Counting())
    assert averager.steps == [10 * epoch for epoch in epochs]
    assert files(tmp_path) == averager.steps
    found = averager.average()
    mean = sum(3.0**epoch for epoch in epochs) / 3
    torch.testing.assert_close(found["weight"], torch.tensor([mean, -mean]))
    assert torch.equal(found["tied"], found["weight"])
    assert found["count"] == epochs[-1]
    assert {name: t.dtype for name, t in found.items()} == {
        name: t.dtype for name, t in load_file(tmp_path / f"step_{averager.steps[0]}.safetensors").items()
    }


def test_of_fewer_epochs_all_are_averaged(tmp_path):
    averager = Averager(Saver(tmp_path), checkpoints=5)
    run(averager, [1.0, 1.0])
    torch.testing.assert_close(averager.average()["weight"], torch.tensor([6.0, -6.0]))


@pytest.mark.parametrize("of", ["last", "best"])
def test_what_a_checkpoint_names_is_never_deleted_before_the_next(tmp_path, of):
    """Killed at any time before the next checkpoint is written, a run finds all files that the last one names."""
    averager = Averager(Saver(tmp_path, "val/loss"), checkpoints=2, of=of)
    model = Counting()
    stored = averager.state_dict()
    for epoch in range(1, 7):
        run(averager, VALUES[epoch - 1 : epoch], model, first=epoch)
        assert set(stored["kept"]) <= set(files(tmp_path))
        stored = averager.state_dict()  # a checkpoint is written


@pytest.mark.parametrize("of", ["last", "best"])
def test_a_resumed_run_averages_the_same(tmp_path, of):
    whole = Averager(Saver(tmp_path / "whole", "val/loss"), checkpoints=2, of=of)
    run(whole, VALUES)
    killed = Averager(Saver(tmp_path / "killed", "val/loss"), checkpoints=2, of=of)
    model = run(killed, VALUES[:3])
    stored = killed.state_dict()
    run(killed, VALUES[3:5], first=4)  # lost
    resumed = Averager(Saver(tmp_path / "killed", "val/loss"), checkpoints=2, of=of)
    resumed.load_state_dict(stored)
    run(resumed, VALUES[3:], model, first=4)
    assert resumed.steps == whole.steps
    for name, tensor in whole.average().items():
        assert torch.equal(resumed.average()[name], tensor)


def test_an_epoch_that_was_cut_off_does_not_count(tmp_path):
    """A run that goes on from there would not have it; and what the checkpoint needs stays."""
    averager = Averager(Saver(tmp_path), checkpoints=2)
    model = run(averager, [1.0, 1.0])
    cut_off = trainer(25, 1.0)
    cut_off.is_last_batch = False
    averager.on_train_epoch_end(cut_off, model)
    averager.on_train_end(cut_off, model)
    assert averager.steps == files(tmp_path) == [10, 20]


def test_a_missing_file_is_named(tmp_path):
    averager = Averager(Saver(tmp_path), checkpoints=2)
    run(averager, [1.0, 1.0])
    (tmp_path / "step_10.safetensors").unlink()
    with pytest.raises(InputError, match=r"step_10\.safetensors: not a readable"):
        averager.average()


def test_nothing_to_average_is_said(tmp_path):
    with pytest.raises(InputError, match="no epoch has ended"):
        Averager(Saver(tmp_path)).average()
