"""A resumed run goes by the rate and the schedule of today."""

import functools
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR

from seqlab.optim.optimizers import Muon, adamw
from seqlab.optim.schedules import Plateau, cosine, inverse_sqrt
from seqlab.training.callbacks.restored_schedules import RestoredSchedules

TRAINER, MODULE = functools.partial(mock.Mock, spec=Trainer), mock.Mock(spec=LightningModule)

STEPS = 30
SCHEDULES = {
    "none": lambda optimizer: None,
    "cosine": lambda optimizer: cosine(optimizer, STEPS, warmup=5),
    "inverse_sqrt": lambda optimizer: inverse_sqrt(optimizer, warmup=4),
    "one_cycle": lambda optimizer: OneCycleLR(optimizer, optimizer.param_groups[0]["lr"], STEPS),
    "exponential": lambda optimizer: ExponentialLR(optimizer, 0.9),
}
OPTIMIZERS = {
    "adam": lambda named, lr: torch.optim.Adam(named, lr=lr, fused=True),
    "adamw": lambda named, lr: adamw(named, lr=lr, weight_decay=lr),
    "muon": lambda named, lr: Muon(named, lr=lr, weight_decay=lr),
}


def parameters():
    torch.manual_seed(1)
    return [("inner", torch.nn.Parameter(torch.randn(3, 5))), ("bias", torch.nn.Parameter(torch.randn(7)))]


def numbers(optimizer):
    return [{k: v for k, v in g.items() if k not in ("params", "param_names")} for g in optimizer.param_groups]


class Run:
    """An optimizer and its schedule, as Lightning goes about them."""

    def __init__(self, optimizer, schedule, lr):
        self.named = parameters()
        self.optimizer = OPTIMIZERS[optimizer](self.named, lr)
        self.scheduler = SCHEDULES[schedule](self.optimizer) if isinstance(schedule, str) else schedule(self.optimizer)
        self.global_step = 0

    def go(self, steps):
        for _ in range(steps):
            for _, parameter in self.named:
                parameter.grad = torch.ones_like(parameter)
            self.optimizer.step()
            if self.scheduler is not None and not hasattr(self.scheduler, "monitor"):
                self.scheduler.step()
            self.global_step += 1
        return self

    @property
    def trainer(self):
        configs = [] if self.scheduler is None else [SimpleNamespace(scheduler=self.scheduler)]
        return TRAINER(optimizers=[self.optimizer], lr_scheduler_configs=configs, global_step=self.global_step)

    def resume(self, stored, changed):
        """Goes on from another run's states, in Lightning's order of hooks."""
        callback, self.global_step = RestoredSchedules(changed), stored.global_step
        states = [] if stored.scheduler is None else [stored.scheduler.state_dict()]
        checkpoint = {"lr_schedulers": states}
        callback.on_load_checkpoint(self.trainer, MODULE, checkpoint)
        assert checkpoint["lr_schedulers"] == []
        callback.on_fit_start(self.trainer, MODULE)
        self.optimizer.load_state_dict(stored.optimizer.state_dict())
        callback.on_train_start(self.trainer, MODULE)
        return self


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name != "one_cycle"])
@pytest.mark.parametrize("before", ["none", "cosine"])
def test_a_resumed_run_goes_by_the_rate_and_the_schedule_of_today(optimizer, schedule, before):
    stored = Run(optimizer, before, lr=0.5).go(11)
    resumed = Run(optimizer, schedule, lr=0.02).resume(stored, {"optimizer.lr", "scheduler._target_"})
    whole = Run(optimizer, schedule, lr=0.02).go(11)
    for _ in range(3):
        assert numbers(resumed.optimizer) == numbers(whole.optimizer)
        resumed.go(5), whole.go(5)
    assert resumed.optimizer.state_dict().keys() == whole.optimizer.state_dict().keys()


@pytest.mark.parametrize("schedule", ["none", "cosine", "one_cycle", "exponential"])
def test_what_the_optimizer_has_learnt_stays(schedule):
    """Where nothing of it has changed after all, the run ends as if it had not been stopped: to the bit."""
    whole = Run("adam", schedule, lr=0.1).go(20)
    stored = Run("adam", schedule, lr=0.1).go(11)
    resumed = Run("adam", schedule, lr=0.1).resume(stored, {"logger"})
    for (_, mine), (_, its) in zip(resumed.named, stored.named, strict=True):
        mine.data.copy_(its.data)
    resumed.go(9)
    assert numbers(resumed.optimizer) == numbers(whole.optimizer)
    for (_, mine), (_, its) in zip(resumed.named, whole.named, strict=True):
        assert torch.equal(mine, its)


def test_a_schedule_may_grow_longer():
    stored = Run("adam", lambda o: OneCycleLR(o, 0.1, 10), lr=0.1).go(10)
    resumed = Run("adam", lambda o: OneCycleLR(o, 0.1, 20), lr=0.1).resume(stored, {"trainer.max_epochs"})
    whole = Run("adam", lambda o: OneCycleLR(o, 0.1, 20), lr=0.1).go(10)
    for _ in range(9):
        assert numbers(resumed.optimizer) == numbers(whole.optimizer)
        resumed.go(1), whole.go(1)


def plateau(**settings):
    return lambda optimizer: Plateau(optimizer, "val/loss", **{"factor": 0.5, "patience": 1, **settings})


def lowered():
    """A run whose rate of 0.8 was lowered once, with one validation since that was no better."""
    run = Run("adam", plateau(), lr=0.8).go(3)
    for loss in (1.0, 2.0, 2.0, 2.0):
        run.scheduler.step(loss)
    assert run.optimizer.param_groups[0]["lr"] == 0.4
    return run


def test_a_schedule_that_follows_a_metric_goes_on_counting():
    resumed = Run("adam", plateau(factor=0.1), lr=0.8).resume(lowered(), {"scheduler.factor"})
    assert resumed.optimizer.param_groups[0]["lr"] == 0.4
    assert (resumed.scheduler.best, resumed.scheduler.num_bad_epochs) == (1.0, 1)
    resumed.scheduler.step(2.0)
    assert resumed.optimizer.param_groups[0]["lr"] == pytest.approx(0.04)


@pytest.mark.parametrize("changed", ["optimizer.lr", "scheduler.mode", "callbacks.saver.monitor"])
def test_a_new_rate_or_another_metric_begins_anew(changed):
    resumed = Run("adam", plateau(), lr=0.3).resume(lowered(), {changed})
    assert resumed.optimizer.param_groups[0]["lr"] == 0.3
    counts_on = changed == "optimizer.lr"
    assert resumed.scheduler.num_bad_epochs == counts_on
    assert (resumed.scheduler.best == 1.0) == counts_on
