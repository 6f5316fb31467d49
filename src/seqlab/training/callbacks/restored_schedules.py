"""The optimizer and the schedule of a resumed run."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from itertools import zip_longest
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class RestoredSchedules(Callback):
    """Makes the optimizer and the schedule of a resumed run use the current settings.

    Lightning restores the hyperparameters of both from the checkpoint. This callback keeps the optimizer's running
    averages of gradients, takes its hyperparameters from the configuration, and advances the schedule to where it would
    be if it had been in use from the beginning. A schedule that follows a metric keeps its counts unless it was
    changed, and the rate that it has lowered unless `optimizer.lr` was.

    Args:
        changed: the names of all settings that changed.
    """

    COUNTS = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")
    KIND = (
        *("scheduler", "scheduler._target_", "scheduler.monitor", "scheduler.mode"),
        *("callbacks.saver.monitor", "callbacks.saver.mode"),  # the schedule's defaults
    )

    def __init__(self, changed: Collection[str]) -> None:
        self.changed = changed
        self._stored: list[dict[str, Any]] = []
        self._configured: list[list[dict[str, Any]]] = []  # hyperparameters, by optimizer and parameter group

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Takes the schedules' states out of the checkpoint: they may be of another class."""
        self._stored, checkpoint["lr_schedulers"] = checkpoint["lr_schedulers"], []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remembers the optimizers' hyperparameters before the checkpoint replaces them."""
        self._configured = [list(map(_hyperparameters, optimizer.param_groups)) for optimizer in trainer.optimizers]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts them back, and advances the schedules to the next step."""
        lowered = [[group["lr"] for group in optimizer.param_groups] for optimizer in trainer.optimizers]
        for optimizer, groups in zip(trainer.optimizers, self._configured, strict=True):
            for group, configured in zip(optimizer.param_groups, groups, strict=True):
                for name in _hyperparameters(group).keys() - configured.keys():
                    del group[name]  # added by a schedule that is not used any more
                group.update(configured)
        for config, stored in zip_longest(trainer.lr_scheduler_configs, self._stored):
            if config is None:  # the schedule is not used any more
                continue
            if hasattr(config.scheduler, "monitor"):
                self._restore_counts(trainer, config.scheduler, stored or {}, lowered)
            else:
                _advance(config.scheduler, trainer.global_step)

    def _restore_counts(
        self, trainer: Trainer, scheduler: Any, stored: dict[str, Any], lowered: list[list[float]]
    ) -> None:
        """Restores the counts of a schedule that follows a metric, and the rates that it has lowered."""
        if any(name in self.changed for name in self.KIND):
            return
        for name in self.COUNTS:
            setattr(scheduler, name, stored[name])
        if "optimizer.lr" not in self.changed:
            for optimizer, rates in zip(trainer.optimizers, lowered, strict=True):
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate


def _hyperparameters(group: dict[str, Any]) -> dict[str, Any]:
    """All of a parameter group but its parameters and their names."""
    return {name: value for name, value in group.items() if name not in ("params", "param_names")}


def _advance(scheduler: Any, steps: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch expects an optimizer step before each step of the schedule
        for _ in range(steps):
            scheduler.step()
