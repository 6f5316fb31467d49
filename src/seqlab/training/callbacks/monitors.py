"""Monitors of a run: the gradient norm, a check that the loss is finite, and a summary before training."""

from __future__ import annotations

import math
import statistics
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from hydra_pruning_sweeper.messages import duration, labelled
from seqlab.data.batch import Batch
from seqlab.data.module import data_of
from seqlab.dataset_analysis.overlap import leakage_of
from seqlab.errors import DivergedError
from seqlab.models.training_module import TrainingModule, log_due
from seqlab.training.dry_run import timed_step, typical_batch, without_side_effects


class GradientWatch(Callback):
    """Logs the norm of the gradient, and stops the run when the loss is not a finite number."""

    def __init__(self) -> None:
        self._norm: Tensor | None = None
        self._parameters: list[nn.Parameter] = []
        self._batch: Batch | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lists the parameters once: in a small model, finding them takes longer than computing the norm."""
        self._parameters = [p for p in pl_module.parameters() if p.requires_grad]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Remembers the batch for an error message."""
        self._batch = batch

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Stops before the weights change if the loss is not finite.

        Raises:
            DivergedError: the message names the step, the examples and the gradient norm of the step before.
        """
        if torch.isfinite(loss):
            return
        assert self._batch is not None
        rows = [row for row in self._batch.rows.tolist() if row >= 0]
        shown = ", ".join(map(str, rows[:16])) + (f" and {len(rows) - 16} more" if len(rows) > 16 else "")
        norm = "none, this is the first" if self._norm is None else f"{self._norm.item():.4g}"
        raise DivergedError(
            f"the loss is {loss.item()} at step {trainer.global_step} (epoch {trainer.current_epoch}), on training"
            f" examples {shown}; gradient norm of the step before: {norm}."
            " Lower optimizer.lr, or set trainer.gradient_clip_val=1.0"
        )

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Computes the norm of all gradients, before they are clipped."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        self._norm = torch.nn.utils.get_total_norm(gradients)
        if log_due(trainer):
            pl_module.log("train/gradient_norm", self._norm)


class RunSummary(Callback):
    """Prints before training: parameters, examples, leakage, the number of steps and about how long they take.

    Args:
        model: the name of the model to print (None: that of its class).
    """

    PROBES = 5

    def __init__(self, model: str | None = None) -> None:
        self.model = model

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Times a few steps without side effects in every process; the first process prints."""
        data = data_of(trainer)
        seconds = self._probe(trainer, pl_module)
        if not trainer.is_global_zero:
            return
        parameters = sum(p.numel() for p in pl_module.parameters())
        frozen = sum(p.numel() for p in pl_module.parameters() if not p.requires_grad)
        part = f" ({frozen:,} of them frozen)" if frozen else ""
        examples = ", ".join(f"{len(data.examples[split]):,} {split}" for split in data.splits)
        steps = cast(TrainingModule, pl_module).total_steps()
        name = self.model or type(pl_module).__name__
        print(labelled("data", data.describe()))
        print(labelled("model", f"{name}, {parameters:,} parameters{part}, on {pl_module.device}"))
        print(labelled("examples", f"{examples}; vocabularies {data.source_size:,} and {data.target_size:,}"))
        for split, leakage in leakage_of(data).items():
            if split != "test" or data.splits == ["train", "test"]:  # the splits that validation uses
                for line in leakage.summary():
                    print(labelled("leakage", f"{split} {line}"))
        if math.isinf(steps):
            print(f"steps       no end set; {1 / seconds:.0f} batches per second", flush=True)
            return
        left = int(steps) - trainer.global_step
        seconds *= trainer.accumulate_grad_batches  # batches per step
        print(f"steps       {int(steps):,}" + (f", {left:,} of them left" if trainer.global_step else ""))
        print(f"time        about {duration(left * seconds)} of training, evaluation not counted", flush=True)

    def _probe(self, trainer: Trainer, pl_module: Any) -> float:
        """Median seconds of forward and backward on the batch of median length."""
        batch = typical_batch(data_of(trainer), pl_module.device)
        with without_side_effects(pl_module, pl_module.device), trainer.precision_plugin.train_step_context():
            return statistics.median(timed_step(pl_module, batch) for _ in range(self.PROBES))
