"""Monitors of a run: the gradient norm, a check that the loss is finite, and a summary before training."""

from __future__ import annotations

import math
import statistics
import sys
from typing import Any, NamedTuple, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from hydra_pruning_sweeper.messages import duration, labelled
from seqlab.data.batch import Batch
from seqlab.data.module import data_of
from seqlab.dataset_analysis.first_look import token_lines, unknown_line
from seqlab.dataset_analysis.overlap import leakage_of
from seqlab.errors import DivergedError
from seqlab.models.base import parameter_count
from seqlab.models.training_module import TrainingModule, log_due
from seqlab.training.delayed_value import DelayedValue
from seqlab.training.dry_run import timed_step, trial_steps, typical_batch, untimed, without_side_effects


class _Step(NamedTuple):
    """What an error message says of a step."""

    loss: DelayedValue
    number: int
    epoch: int
    rows: Tensor
    norm_before: Tensor | None


class GradientWatch(Callback):
    """Logs the norm of the gradient, and stops the run when the loss is not a finite number.

    On a CPU it stops before the weights change. On a GPU, where reading the loss would wait for it, it reads the loss
    of a step after the next one is under way, and before anything is validated or saved.
    """

    def __init__(self) -> None:
        self._norm: Tensor | None = None
        self._parameters: list[nn.Parameter] = []
        self._batch: Batch | None = None
        self._unread: _Step | None = None
        self._delays = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lists the parameters once: in a small model, finding them takes longer than computing the norm."""
        self._parameters = [p for p in pl_module.parameters() if p.requires_grad]
        self._delays = pl_module.device.type != "cpu"

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Remembers the batch for an error message."""
        self._batch = batch

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Stops if the loss of the step before, or on a CPU this loss, is not finite.

        Raises:
            DivergedError: the message names the step, the examples and the gradient norm of the step before it.
        """
        self._check()
        assert self._batch is not None
        place = (trainer.global_step, trainer.current_epoch)
        self._unread = _Step(DelayedValue(loss), *place, self._batch.rows, self._norm)
        if not self._delays:
            self._check()

    def _check(self) -> None:
        step, self._unread = self._unread, None
        if step is None or math.isfinite(loss := step.loss.read()):
            return
        rows = [row for row in step.rows.tolist() if row >= 0]
        shown = ", ".join(map(str, rows[:16])) + (f" and {len(rows) - 16} more" if len(rows) > 16 else "")
        norm = "none, this is the first" if step.norm_before is None else f"{step.norm_before.item():.4g}"
        raise DivergedError(
            f"the loss is {loss} at step {step.number} (epoch {step.epoch}), on training"
            f" examples {shown}; gradient norm of the step before: {norm}."
            " Lower optimizer.lr, or set trainer.gradient_clip_val=1.0"
        )

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops before weights of a step whose loss was not finite are validated.

        Raises:
            DivergedError: see `on_before_backward`.
        """
        self._check()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Stops before such weights are saved.

        Raises:
            DivergedError: see `on_before_backward`.
        """
        self._check()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops before such weights are evaluated.

        Raises:
            DivergedError: see `on_before_backward`.
        """
        self._check()

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Computes the norm of all gradients, before they are clipped."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        self._norm = torch.nn.utils.get_total_norm(gradients)
        if log_due(trainer):
            pl_module.log("train/gradient_norm", self._norm)


LONG = 1800
"""Seconds of training above which the summary says how to shorten it."""
SHORT = 600
"""Seconds that its last suggestion takes."""


def shorter(seconds: float, done: int, epochs: int | None) -> str:
    """How to make a long run shorter, which takes `seconds` per step, after `done` steps."""
    steps = done + max(1, int(SHORT / seconds))
    fewer = f", trainer.max_epochs=… for fewer epochs than {epochs}" if (epochs or 0) > 1 else ""
    return f"model_size=small for a small model{fewer}, trainer.max_steps={steps} for ten minutes"


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
        if trainer.is_global_zero:
            self._print_facts(trainer, pl_module)
        seconds = self._probe(trainer, pl_module)
        if not trainer.is_global_zero:
            return
        steps = cast(TrainingModule, pl_module).total_steps()
        if math.isinf(steps):
            print(f"steps       no end set; {1 / seconds:.0f} batches per second", flush=True)
            return
        left = int(steps) - trainer.global_step
        seconds *= trainer.accumulate_grad_batches  # batches per step
        print(f"steps       {int(steps):,}" + (f", {left:,} of them left" if trainer.global_step else ""))
        print(f"time        about {duration(left * seconds)} of training, evaluation not counted", flush=True)
        if left * seconds > LONG:
            print(labelled("shorter", shorter(seconds, trainer.global_step, epochs=trainer.max_epochs)), flush=True)

    def _print_facts(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Before steps are timed, which takes a minute with a large model."""
        data = data_of(trainer)
        parameters = parameter_count(pl_module)
        frozen = parameters - parameter_count(pl_module, trained=True)
        part = f" ({frozen:,} of them frozen)" if frozen else ""
        examples = ", ".join(f"{len(data.examples[split]):,} {split}" for split in data.splits)
        name = self.model or type(pl_module).__name__
        print(labelled("data", data.describe()))
        for line in data.reading_remarks:
            label, _, text = line.partition(": ")
            print(labelled(label, text))
        print(labelled("model", f"{name}, {parameters:,} parameters{part}, on {pl_module.device}"))
        print(labelled("examples", f"{examples}; vocabularies {data.source_size:,} and {data.target_size:,}"))
        print(labelled("unknown", unknown_line(data)))
        for line in token_lines(data):
            print(labelled("example", line))
        for split, leakage in leakage_of(data).items():
            if split != "test" or data.splits == ["train", "test"]:  # the splits that validation uses
                for line in leakage.summary():
                    print(labelled("leakage", f"{split} {line}"))
        sys.stdout.flush()

    def _probe(self, trainer: Trainer, pl_module: Any) -> float:
        """Median seconds of forward and backward on the batch of median length."""
        data = data_of(trainer)
        batch = typical_batch(data, pl_module.device)
        with without_side_effects(pl_module, pl_module.device), trainer.precision_plugin.train_step_context():
            steps = trial_steps(data, pl_module)
            seconds = [timed_step(pl_module, batch, steps) for _ in range(untimed(steps) + self.PROBES)]
        if steps is not None:
            steps.release()
        return statistics.median(seconds[untimed(steps) :])
