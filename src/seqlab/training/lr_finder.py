"""Finds a learning rate by a range test (Smith 2017, arXiv 1506.01186, section 3.3)."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.messages import labelled
from seqlab.config.settings import TrainSettings
from seqlab.data.module import SequenceData
from seqlab.errors import RunError
from seqlab.folders import free_range_test_folder
from seqlab.models.training_module import TrainingModule
from seqlab.training.trainer import build_trainer

LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 200
RATES = np.geomspace(LOWEST, HIGHEST, STEPS)
HALF_WINDOW = 10  # a third of a power of ten on either side


def find_learning_rate(settings: TrainSettings, model: TrainingModule, data: SequenceData, table: Path) -> None:
    """Trains for `STEPS` steps with growing rates, writes the curve to `table` and prints the suggested rate.

    Raises:
        RunError: the loss does not fall at any rate.
    """
    test = RangeTest()
    off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "limit_val_batches": 0}
    trainer = build_trainer(settings.trainer, [test], max_epochs=-1, max_steps=STEPS, **off)
    trainer.fit(model, data)
    if not trainer.is_global_zero:
        return
    text = io.StringIO()
    csv.writer(text).writerows([("learning_rate", "loss"), *zip(RATES.tolist(), test.losses, strict=False)])
    write_atomically(table, text.getvalue())
    free_range_test_folder(table.parent)
    rate = suggestion(test.losses)
    if rate is None:
        raise RunError(f"the loss does not fall at any learning rate of {LOWEST:g} to {HIGHEST:g}; see {table}")
    overrides = [one for one in settings.run.overrides if not one.startswith(("find_lr=", "optimizer.lr="))]
    line = shlex.join(["seqlab-train", *settings.run.flags, *overrides, f"optimizer.lr={rate:.1e}"])
    print(labelled("suggested", f"optimizer.lr={rate:.1e}, where the loss falls fastest; the curve is kept in {table}"))
    print(f"train with  {line}", flush=True)


class RangeTest(Callback):
    """Takes the n-th optimizer step with the n-th of `RATES` and records its loss, until the loss diverges."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self._batch_losses: list[float] = []  # of the step under way

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Sets the learning rate of the step."""
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = float(RATES[trainer.global_step])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Records the step's loss, the mean over its batches; stops if it is NaN or over four times the lowest."""
        loss = trainer.strategy.reduce(outputs["loss"].detach(), reduce_op="mean")
        # Lightning has divided the loss by the number of accumulated batches.
        self._batch_losses.append(float(torch.as_tensor(loss)) * trainer.accumulate_grad_batches)
        if trainer.global_step == len(self.losses):
            return  # the step waits for more batches
        self.losses.append(float(np.mean(self._batch_losses)))
        self._batch_losses = []
        if not self.losses[-1] <= 4 * min(self.losses):
            trainer.should_stop = True


def suggestion(losses: list[float]) -> float | None:
    """The rate at which the loss falls fastest, before it reaches its minimum; None if it never falls.

    The slope is that of a straight line fitted to the losses of 2 HALF_WINDOW + 1 neighbouring steps over the logarithm
    of the rate, so that no single batch decides.
    """
    window = 2 * HALF_WINDOW + 1
    finite = np.array([loss for loss in losses if np.isfinite(loss)])
    if len(finite) < window:
        return None
    lowest = int(np.convolve(finite, np.ones(window), "valid").argmin())
    slopes = np.convolve(finite, np.arange(HALF_WINDOW, -HALF_WINDOW - 1, -1), "valid")[: lowest + 1]
    steepest = int(slopes.argmin())
    return float(RATES[steepest + HALF_WINDOW]) if slopes[steepest] < 0 else None
