"""What a model does for its trainer, without training: losses over processes, schedulers, what is logged."""

import functools
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqlab.data.batch import Examples
from seqlab.errors import InputError
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.objective import Objective
from seqlab.models.training_module import trainable
from seqlab.special_tokens import PAD

V, W, D, E = 11, 13, 7, 5
BATCH = Examples.of([([4, 5, 6], [7, 8]), ([9], [12, 4, 5]), ([6, 6], [])]).batch(np.arange(3))


class Trainer(SimpleNamespace):
    """As much of one as a model asks for; of two processes a mean or a sum is taken over equal halves."""

    def __init__(self, processes=1, **more):
        self.reduced = []
        strategy = SimpleNamespace(reduce=self.reduce)
        settings = {"global_step": 0, "log_every_n_steps": 1, "lr_scheduler_configs": [], "sanity_checking": False}
        state = SimpleNamespace(fn="fit")
        super().__init__(world_size=processes, strategy=strategy, state=state, **{**settings, **more})

    def reduce(self, values, reduce_op):
        self.reduced.append(reduce_op)
        return values * {"mean": 1, "sum": 2}[reduce_op]


@pytest.fixture
def made():
    """Gives a model that keeps what it logs in `logged`, and its trainer."""

    def make(objective=None, optimizer=torch.optim.SGD, scheduler=None, **trainer):
        torch.manual_seed(0)
        model = trainable(FixedVector)(V, W, width=D, embedding=E)
        model.configure_training(lambda named: optimizer([p for _, p in named], lr=0.5), scheduler, objective)
        model.logged = {}
        model.log = lambda name, value, **how: model.logged.update({name: (float(value), how)})
        owner = Trainer(**trainer)
        model.trainer = owner
        return model, owner

    return make


def nats(model):
    """The loss of the batch by a plain loop, summed, and its tokens."""
    logits = model(BATCH.source, BATCH.source_lengths, BATCH.decoder_input).detach().log_softmax(-1)
    asked = [(row, at) for row in range(3) for at in range(4) if BATCH.labels[row, at] != PAD]
    return -sum(logits[row, at, BATCH.labels[row, at]].item() for row, at in asked), len(asked)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_step_minimises_the_mean_and_logs_it(made, processes):
    model, trainer = made(processes=processes)
    total, tokens = nats(model)
    assert tokens == 8
    assert model.training_step(BATCH, 0).item() == pytest.approx(total / tokens, abs=1e-5)
    value, how = model.logged["train/step_loss"]
    assert value == pytest.approx(total / tokens, abs=1e-5)
    assert how == {"sync_dist": processes > 1}
    assert trainer.reduced == ["mean"] * (processes - 1)


def test_a_loop_of_ones_own_trains_without_a_trainer():
    torch.manual_seed(0)
    model = trainable(FixedVector)(V, W, width=D, embedding=E)
    total, tokens = nats(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.loss(BATCH)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(total / tokens, abs=1e-5)
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("processes", [1, 2])
def test_an_epoch_is_the_mean_over_its_tokens_in_all_processes(made, processes):
    model, trainer = made(Objective(label_smoothing=0.25), processes=processes, log_every_n_steps=99)
    total, tokens = nats(model)
    assert model.epoch_loss() == 0  # before the first token
    minimised = [model.training_step(BATCH, step).item() for step in range(2)]
    assert model.epoch_loss().item() == pytest.approx(total / tokens, abs=1e-5)
    trainer.reduced.clear()
    model.on_train_epoch_end()
    assert trainer.reduced == ["sum"] * (processes - 1)
    assert {name: value for name, (value, _) in model.logged.items()} == {
        "train/teacher_forced/loss": pytest.approx(total / tokens, abs=1e-5),
        "train/objective": pytest.approx(minimised[0], abs=1e-5),
    }
    assert model.epoch_loss() == 0


def test_an_epoch_without_tokens_is_zero(made):
    model, _ = made()
    model.on_train_epoch_end()
    assert model.logged == {"train/teacher_forced/loss": (0.0, {})}


def test_a_half_finished_epoch_is_kept(made):
    (model, _), (other, _) = made(), made()
    model.training_step(BATCH, 0)
    checkpoint = {}
    model.on_save_checkpoint(checkpoint)
    other.on_load_checkpoint(checkpoint)
    assert other.epoch_loss() == model.epoch_loss() > 0


def test_scheduled_sampling_reads_no_padding_of_the_source(made):
    model, _ = made(Objective(teacher_forcing=0.0))
    model.eval()
    loss = model.loss(BATCH)
    longer = BATCH._replace(source=torch.nn.functional.pad(BATCH.source, (0, 3)))
    torch.testing.assert_close(model.loss(longer), loss)
    model.on_train_epoch_end()
    assert list(model.logged) == ["train/scheduled_sampling/loss"]


def test_what_an_optimizer_or_a_scheduler_refuses_is_said_in_one_line(made):
    def refuses(*given, **more):
        raise ValueError("no such rate")

    with pytest.raises(InputError, match=r"^optimizer: no such rate$"):
        made(optimizer=refuses)[0].configure_optimizers()
    with pytest.raises(InputError, match=r"^scheduler: no such rate$"):
        made(scheduler=refuses)[0].configure_optimizers()


def test_a_scheduler_is_stepped_after_every_batch_and_told_how_many(made):
    asked = []

    def scheduler(optimizer, total_steps):
        asked.append(total_steps)
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)

    found = made(scheduler=scheduler, estimated_stepping_batches=17.0)[0].configure_optimizers()
    assert asked == [17]
    assert {name: value for name, value in found["lr_scheduler"].items() if name != "scheduler"} == {"interval": "step"}
    with pytest.raises(InputError, match=r"^scheduler: needs a limit of training: set trainer.max_epochs or"):
        made(scheduler=scheduler, estimated_stepping_batches=math.inf)[0].configure_optimizers()


@pytest.mark.parametrize("name", ["total_steps", "epochs", "steps_per_epoch"])
def test_a_scheduler_is_told_by_nothing_else_how_many(made, name):
    scheduler = functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, **{name: 9})
    with pytest.raises(InputError, match=rf"^scheduler\.{name} cannot be set, .*: set trainer.max_epochs or"):
        made(scheduler=scheduler, estimated_stepping_batches=17.0)[0].configure_optimizers()


class Follower:
    """A scheduler that follows a metric."""

    def __init__(self, optimizer=None):
        self.monitor, self.seen = "val/x", []

    def step(self, value):
        self.seen.append(value)


def test_a_scheduler_that_follows_a_metric_is_left_to_the_model(made):
    found = made(scheduler=Follower)[0].configure_optimizers()["lr_scheduler"]
    assert isinstance(found.pop("scheduler"), Follower)
    assert found == {"interval": "epoch", "frequency": sys.maxsize, "reduce_on_plateau": False}


def test_a_scheduler_that_follows_a_metric_is_stepped_with_it(made):
    follower = Follower()
    configs = [SimpleNamespace(scheduler=object()), SimpleNamespace(scheduler=follower)]
    model, trainer = made(lr_scheduler_configs=configs, callback_metrics={"val/x": torch.tensor(0.25)})
    trainer.num_val_batches = [0, 3]
    model.on_train_start()
    model.on_validation_epoch_end()
    assert follower.seen == [0.25]
    trainer.sanity_checking = True
    model.on_validation_epoch_end()
    trainer.sanity_checking, trainer.state.fn = False, "validate"
    model.on_validation_epoch_end()
    assert follower.seen == [0.25]
    trainer.state.fn, trainer.callback_metrics = "fit", {"val/y": torch.tensor(1.0)}
    with pytest.raises(InputError, match=r"^scheduler.monitor: no metric 'val/x' after this validation$"):
        model.on_validation_epoch_end()
    trainer.num_val_batches = [0, 0]
    with pytest.raises(InputError, match=r"^scheduler: needs a validation split, and there is none$"):
        model.on_train_start()


def test_without_one_that_follows_a_metric_no_validation_is_needed(made):
    model, trainer = made(lr_scheduler_configs=[SimpleNamespace(scheduler=object())])
    trainer.num_val_batches = [0]
    model.on_train_start()
    model.on_validation_epoch_end()


def test_each_split_has_its_own_measures(made):
    model, trainer = made()
    total, tokens = nats(model.eval())
    trainer.val_dataloaders = [SimpleNamespace(split="val"), SimpleNamespace(split="val_other")]
    trainer.test_dataloaders = [SimpleNamespace(split="test")]
    kept = []
    model.log_dict = lambda metrics, **how: kept.append((metrics, how))
    model.measure_bytes({"val_other": 0.5, "test": None})
    model.validation_step(BATCH, 0, 1)
    model.test_step(BATCH, 0)
    model.validation_step(BATCH, 0)
    loss = pytest.approx(total / tokens, abs=1e-5)
    found = [{name: float(value) for name, value in metrics.compute().items()} for metrics, _ in kept]
    assert [{name for name in one if name.endswith("loss")} for one in found] == [
        {f"{split}/teacher_forced/loss"} for split in ("val_other", "test", "val")
    ]
    assert [one[name] for one in found for name in one if name.endswith("loss")] == [loss] * 3
    assert found[0]["val_other/teacher_forced/bits_per_byte"] == pytest.approx(
        total / tokens * 0.5 / math.log(2), abs=1e-5
    )
    assert [len(one) for one in found] == [4, 3, 3]
    assert all(
        how == {"on_step": False, "on_epoch": True, "batch_size": 3, "add_dataloader_idx": False} for _, how in kept
    )
