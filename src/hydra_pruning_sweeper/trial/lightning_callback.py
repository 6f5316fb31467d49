"""Lightning's callback that reports a trial's metric after each validation, and stops training when it is pruned."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn.parameter import is_lazy

from hydra_pruning_sweeper.errors import DivergenceError, InterruptionError, UsageError
from hydra_pruning_sweeper.objectives import direction_of
from hydra_pruning_sweeper.trial.context import context_of_trial
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.trial.pace import DeviceMemory, Pace, pace_path
from hydra_pruning_sweeper.trial.reporter import Reporter, reporter

PACE_SECONDS = 0.5  # between two lines of `PaceReport`
MODES = {"minimize": "min", "maximize": "max"}


class PaceReport(Callback):
    """Writes how many steps were trained in how many seconds, validation left out, how many are ahead, and the memory
    of the GPU.

    Does nothing where nobody reads it (see `pace_path`), and on all processes but the first.
    """

    def __init__(self) -> None:
        self.steps = 0
        self._path = pace_path()
        self._seconds, self._since = 0.0, 0.0  # up to the last stop of the clock; when it was started, 0: it stands
        self._written = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes that nothing was trained yet."""
        self._path = self._path if trainer.is_global_zero else None
        self._write(trainer, pl_module)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Starts the clock, unless it runs."""
        self._since = self._since or time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Counts a step."""
        self.steps += 1
        if self._path is not None and time.monotonic() - self._written > PACE_SECONDS:
            self._write(trainer, pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock."""
        self._stop()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock."""
        self._stop()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes what was trained in all."""
        self._write(trainer, pl_module)

    def _stop(self) -> None:
        self._seconds, self._since = self._elapsed(), 0.0

    def _elapsed(self) -> float:
        return self._seconds + (time.monotonic() - self._since if self._since else 0.0)

    def _write(self, trainer: Trainer, module: LightningModule) -> None:
        if self._path is not None:
            self._written = time.monotonic()
            Pace(self.steps, self._elapsed(), device_memory(module.device), batches_ahead(trainer)).write(self._path)


def batches_ahead(trainer: Trainer) -> float | None:
    """How many batches a training still takes by its numbers of epochs and steps; None if it has neither."""
    steps = trainer.estimated_stepping_batches - trainer.global_step
    return None if math.isinf(steps) else float(max(0, steps) * trainer.accumulate_grad_batches)


def device_memory(device: torch.device) -> DeviceMemory | None:
    """The memory of a GPU; None for another device."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    return DeviceMemory(float(torch.cuda.max_memory_reserved(device)), float(free), float(total))


class LastLoss(Callback):
    """Keeps the loss that is about to be differentiated. Comes before all other callbacks, one of which may raise
    because of that loss.
    """

    def __init__(self) -> None:
        self.loss: Tensor | None = None

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Keeps it."""
        self.loss = loss.detach()


class TrialReport(Callback):
    """Reports the monitored metric to the trial that this run is, and stops training when the trial is pruned.

    Outside of a sweep it does nothing, so it may be in any configuration, anywhere among the callbacks. A step is a
    validation, counted from 1. To stop, it raises nothing: training ends as it does after its last epoch, and what
    follows `fit` is left to the run. Only to be paused within an epoch it raises an `InterruptionError`, as the epoch
    could not be continued from a checkpoint at its early end. A training that diverges is pruned: when its metric or
    its weights are not finite, when an exception is raised while a loss or a gradient is not finite, or when that is a
    `DivergenceError`.

    Args:
        monitor: the name of a validation metric.
        mode: whether its best value is the smallest ("min") or largest ("max") value.
    """

    def __init__(self, monitor: str, mode: Literal["min", "max"] = "min") -> None:
        self.monitor, self.mode = monitor, mode
        self.steps = 0
        self.stopped = False
        self._reporter: Reporter | None = None
        self._last = LastLoss()
        self._has_begun = False

    def state_dict(self) -> dict[str, Any]:
        """The number of validations so far, and whether the trial was stopped for good after the last."""
        return {"steps": self.steps, "stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores them."""
        self.steps, self.stopped = state_dict["steps"], state_dict["stopped"]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Adds `LastLoss` before all other callbacks, and a `PaceReport` if somebody reads it.

        Raises:
            UsageError: the direction of the search contradicts `mode`.
        """
        if (context := context_of_trial()) is None:
            return
        direction = direction_of(context.direction, self.monitor)
        if direction is not None and self.mode != MODES[direction]:
            raise UsageError(f"TrialReport.mode is {self.mode}, but hydra.sweeper.direction is {direction}")
        others = [one for one in trainer.callbacks if one is not self._last]  # type: ignore[attr-defined]
        if pace_path() is not None and not any(isinstance(one, PaceReport) for one in others):
            others.append(PaceReport())
        trainer.callbacks = [self._last, *others]  # type: ignore[attr-defined]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Attaches to the trial, on the first process; stops at once if the trial was stopped before."""
        self._reporter = reporter() if trainer.is_global_zero else None
        if self.stopped and context_of_trial() is not None:
            trainer.should_stop = True

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Records when training begins."""
        if self._reporter is not None and not self._has_begun:
            self._has_begun = True
            self._reporter.events.add("first_step")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reports the metric, and stops training if the trial is to be pruned or paused.

        Raises:
            UsageError: there is no such metric.
            InterruptionError: it is to be paused within an epoch.
        """
        if trainer.sanity_checking or trainer.state.fn != "fit" or context_of_trial() is None:
            return
        self.steps += 1
        value = self._value(trainer) if are_finite(pl_module) else math.nan
        stop = self._reporter is not None and self._reporter.report(self.steps, value, last=is_last_validation(trainer))
        is_paused = self._reporter is not None and self._reporter.is_paused
        stop, is_paused = trainer.strategy.broadcast((stop, is_paused))
        if is_paused and not trainer.is_last_batch:
            raise InterruptionError(f"paused after validation {self.steps}, until it is promoted")
        if stop:
            trainer.should_stop = True
            self.stopped = not is_paused

    def _value(self, trainer: Trainer) -> float:
        if self.monitor not in trainer.callback_metrics:
            raise UsageError(f"no metric {self.monitor!r} to report after this validation")
        return float(trainer.callback_metrics[self.monitor])

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Records when training is over."""
        if self._reporter is not None:
            self._reporter.events.add("last_step")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Records that training has diverged, as opposed to failed, on whichever process that happens."""
        if (context := context_of_trial()) is None or not isinstance(exception, Exception):
            return
        if (
            isinstance(exception, DivergenceError)
            or not all(torch.isfinite(loss).all() for loss in self._losses(trainer))
            or not are_finite(pl_module, gradients=True)
        ):
            TrialEvents(Path(context.folder)).add("diverged", step=self.steps)

    def _losses(self, trainer: Trainer) -> list[Tensor]:
        """The last training loss, the monitored metric, and all logged losses. Other metrics are left out, as they may
        be undefined in a healthy training.
        """
        logged = trainer.callback_metrics
        losses = [value for name, value in logged.items() if name == self.monitor or "loss" in name.lower()]
        return losses if self._last.loss is None else [self._last.loss, *losses]


def are_finite(module: LightningModule, gradients: bool = False) -> bool:
    """Whether all weights, and with `gradients` those too, are finite.

    Gradients alone do not show divergence: in half precision one may overflow, and its step is then skipped.
    """
    weights = [one for one in module.parameters() if one.is_floating_point() and not is_lazy(one)]
    tensors = [one.detach() for one in weights]
    tensors += [one.grad for one in weights if gradients and one.grad is not None]
    return all(bool(torch.isfinite(one).all()) for one in tensors)


def is_last_validation(trainer: Trainer) -> bool:
    """Whether training is over after this validation, pruned or not."""
    if trainer.should_stop or 0 <= trainer.max_steps <= trainer.global_step:
        return True
    ends = trainer.max_epochs is not None and trainer.max_epochs != -1
    return ends and trainer.current_epoch + 1 >= (trainer.max_epochs or 0) and trainer.is_last_batch
