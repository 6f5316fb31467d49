"""The training side of every architecture: loss, optimizer, schedule, and the metrics of each split.

B batch, T target length, V target vocabulary. "*P" is B and T, or the N positions without padding.

Lightning takes seconds to import, and a model that only predicts does not need it. So an architecture is a plain
`nn.Module`, and `trainable` gives the same class as a LightningModule.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, cast

import torch
from jaxtyping import Float, Int
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from seqlab.data.batch import SPLITS, Batch
from seqlab.errors import InputError
from seqlab.layers.attention import padding_mask
from seqlab.metrics.teacher_forced import TeacherForced
from seqlab.models.base import Seq2Seq
from seqlab.models.objective import Objective, sampled_logits
from seqlab.private_parts import trainer_of
from seqlab.special_tokens import PAD

RUN_LENGTHS = ("total_steps", "epochs", "steps_per_epoch")
"""Arguments that would give a schedule another length than the run's, which it gets as `total_steps`."""


def log_due(trainer: Any) -> bool:
    """Whether Lightning writes values logged during the current optimizer step: every n-th, `log_every_n_steps`."""
    return (trainer.global_step + 1) % max(1, trainer.log_every_n_steps) == 0


class StepLosses(NamedTuple):
    """The losses of a batch.

    Attributes:
        objective: what training minimises, the mean per target token, over all processes that share the batch.
        cross_entropy: its plain cross-entropy per token, without gradient; its mean over processes is the batch's.
        sums: of this process: summed cross-entropy, summed objective, number of target tokens; without gradient.
    """

    objective: Float[Tensor, ""]
    cross_entropy: Float[Tensor, ""]
    sums: Float[Tensor, 3]


class StepMaker(Protocol):
    """Does training steps in another way than `TrainingModule` itself: `backward` comes after each `losses`."""

    def losses(self, batch: Batch) -> StepLosses:
        """The losses of a batch."""
        ...

    def backward(self) -> None:
        """Adds the gradients of the last objective, divided by the number of accumulated batches, to the parameters."""
        ...


class TrainingModule(Seq2Seq, LightningModule):
    """What training adds to an architecture: see `trainable`.

    Args:
        source_size, target_size: vocabulary sizes.

    Attributes:
        step_maker: what does the training steps; None: the module itself.
    """

    def __init__(self, source_size: int, target_size: int) -> None:
        super().__init__(source_size, target_size)
        self.step_maker: StepMaker | None = None
        self.measures = nn.ModuleDict(
            {f"{split}_split": TeacherForced(target_size, f"{split}/teacher_forced/") for split in SPLITS}
        )
        self._objective = Objective()
        self._epochs_before = (0, 0)
        self._train_loss = torch.zeros(3)  # of this epoch: summed cross-entropy, summed objective, number of tokens

    def configure_training(
        self,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., Any] | None = None,
        objective: Objective | None = None,
        epochs_before: tuple[int, int] = (0, 0),
    ) -> None:
        """Sets the optimizer, the schedule and the objective.

        Args:
            optimizer: called with (name, parameter) pairs.
            scheduler: called with the optimizer, and with the optimizer steps of the whole run if it takes
                `total_steps`. It is stepped after every optimizer step or, if it has a `monitor`, with that metric
                after each validation.
            objective: None means the teacher-forced cross-entropy.
            epochs_before: in a resumed run whose earlier epochs had another number of steps, the number of these
                epochs and their steps altogether.
        """
        self._optimizer, self._scheduler, self._epochs_before = optimizer, scheduler, epochs_before
        self._objective = objective or Objective()

    def configure_optimizers(self) -> Any:
        """Builds the optimizer and the schedule that `configure_training` has set, for Lightning.

        Raises:
            InputError: the optimizer or the scheduler refuses its settings, or these say how long the run is.
        """
        try:
            optimizer = self._optimizer([(name, p) for name, p in self.named_parameters() if p.requires_grad])
        except (TypeError, ValueError) as error:
            raise InputError(f"optimizer: {error}") from error
        if self._scheduler is None:
            return optimizer
        extra = {}
        if "total_steps" in inspect.signature(self._scheduler).parameters:
            extra["total_steps"] = self._steps_to_schedule()
        try:
            scheduler = self._scheduler(optimizer, **extra)
        except (TypeError, ValueError) as error:
            raise InputError(f"scheduler: {error}") from error
        config: dict[str, Any] = {"scheduler": scheduler, "interval": "step"}
        if hasattr(scheduler, "monitor"):
            # `on_validation_epoch_end` steps it. Lightning would do so at the end of an epoch, which it misses if the
            # run is resumed within one.
            config |= {"interval": "epoch", "frequency": sys.maxsize, "reduce_on_plateau": False}
        return {"optimizer": optimizer, "lr_scheduler": config}

    def _steps_to_schedule(self) -> int:
        given = [name for name in RUN_LENGTHS if name in getattr(self._scheduler, "keywords", {})]
        if given:
            raise InputError(
                f"scheduler.{given[0]} cannot be set, because a schedule is as long as the run: set trainer.max_epochs"
                " or trainer.max_steps"
            )
        steps = self.total_steps()
        if math.isinf(steps):
            raise InputError("scheduler: needs a limit of training: set trainer.max_epochs or trainer.max_steps")
        return int(steps)

    def total_steps(self) -> float:
        """Optimizer steps of the whole run; infinite if it has no limit."""
        trainer, (epochs, steps) = self.trainer, self._epochs_before
        estimate = trainer.estimated_stepping_batches
        if not epochs or trainer.max_epochs is None or trainer.max_epochs < 0:
            return estimate
        steps_per_epoch = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
        total = steps + (trainer.max_epochs - epochs) * steps_per_epoch
        return total if trainer.max_steps < 0 else min(total, trainer.max_steps)

    def on_train_start(self) -> None:
        """Checks that there are validations if the schedule needs them.

        Raises:
            InputError: it does, and there is no validation split.
        """
        if self._monitoring() and not sum(self.trainer.num_val_batches):
            raise InputError("scheduler: needs a validation split, and there is none")

    def on_validation_epoch_end(self) -> None:
        """Steps a scheduler that follows a metric, before the end of the validation is saved.

        Raises:
            InputError: the validation has no such metric.
        """
        scheduler = self._monitoring()
        if scheduler is None or self.trainer.sanity_checking:
            return
        if scheduler.monitor not in self.trainer.callback_metrics:
            raise InputError(f"scheduler.monitor: no metric {scheduler.monitor!r} after this validation")
        scheduler.step(float(self.trainer.callback_metrics[scheduler.monitor]))

    def _monitoring(self) -> Any:
        """The scheduler that follows a metric, or None."""
        configs = self.trainer.lr_scheduler_configs if self.trainer.state.fn == "fit" else []
        return next((config.scheduler for config in configs if hasattr(config.scheduler, "monitor")), None)

    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        """The objective: see `StepLosses`. Without a Trainer, in a custom training loop, it is the mean over this
        process's tokens.
        """
        return self.losses(batch).objective

    def losses(self, batch: Batch) -> StepLosses:
        """The losses of a batch. Nothing here waits for the values of a device."""
        if self._objective.teacher_forcing == 1:
            logits, labels = self._teacher_forced(batch)
        else:
            state = self.encode(batch.source, batch.source_lengths)
            logits = sampled_logits(self.decode, state, batch.decoder_input, self._objective.teacher_forcing)
            labels = batch.labels
        total, plain = self._objective.losses(logits, labels)
        tokens = (labels != PAD).sum()
        sums = torch.stack([plain.detach(), total.detach(), tokens])
        if (trainer := trainer_of(self)) is not None and trainer.world_size > 1:
            # DDP averages gradients over processes. Dividing by the mean number of tokens makes that average equal to
            # the gradient of one process on the whole batch.
            tokens = trainer.strategy.reduce(tokens.float(), reduce_op="mean")
        return StepLosses(total / tokens, plain.detach() / tokens, sums)

    def _teacher_forced(self, batch: Batch) -> tuple[Float[Tensor, "*P V"], Int[Tensor, "*P"]]:
        """Teacher-forced logits and labels, of all positions or of those without padding (see `Seq2Seq.forward`)."""
        real = padding_mask(batch.target_lengths - 1, batch.decoder_input.size(1))
        logits = self(batch.source, batch.source_lengths, batch.decoder_input, real)
        return logits, batch.labels[real] if logits.dim() == 2 else batch.labels

    def training_step(self, batch: Batch, batch_index: int) -> Float[Tensor, ""]:
        """Returns the objective and logs the plain cross-entropy."""
        losses = (self.step_maker or self).losses(batch)
        self.step_loss = losses.cross_entropy
        self._train_loss = self._train_loss.to(self.step_loss.device) + losses.sums
        if log_due(self.trainer):
            self.log("train/step_loss", self.step_loss, sync_dist=self.trainer.world_size > 1)
        return losses.objective

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Computes the gradients, for Lightning."""
        if self.step_maker is None:
            super().backward(loss, *args, **kwargs)
        else:
            self.step_maker.backward()

    def epoch_loss(self) -> Float[Tensor, ""]:
        """Mean cross-entropy per token of the epoch so far, over this process's rows."""
        return self._train_loss[0] / self._train_loss[2].clamp(min=1)

    def on_train_epoch_end(self) -> None:
        """Logs the epoch's cross-entropy over all processes, named by the decoder input, and the objective."""
        totals = self._train_loss
        if self.trainer.world_size > 1:
            totals = self.trainer.strategy.reduce(totals, reduce_op="sum")
        plain, objective = totals[:2] / totals[2].clamp(min=1)
        kind = "teacher_forced" if self._objective.teacher_forcing == 1 else "scheduled_sampling"
        self.log(f"train/{kind}/loss", plain)
        if not self._objective.is_cross_entropy:
            self.log("train/objective", objective)
        self._train_loss = torch.zeros(3, device=self.device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Saves the loss of a half-finished epoch."""
        checkpoint["train_loss"] = self._train_loss.cpu()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores that loss."""
        self._train_loss = checkpoint["train_loss"]

    def measure_bytes(self, tokens_per_byte: Mapping[str, float | None]) -> None:
        """Adds bits per byte to the metrics of those splits whose number of tokens per byte is known."""
        for split, ratio in tokens_per_byte.items():
            if ratio is not None:
                metrics = cast(TeacherForced, self.measures[f"{split}_split"])
                metrics.measure_bytes(ratio)
                metrics.to(self.device)

    def validation_step(self, batch: Batch, batch_index: int, dataloader_idx: int = 0) -> None:
        """Teacher-forced metrics of a validation split."""
        self._measure(cast(Any, self.trainer.val_dataloaders)[dataloader_idx].split, batch)

    def test_step(self, batch: Batch, batch_index: int, dataloader_idx: int = 0) -> None:
        """Teacher-forced metrics of each split that is evaluated after training."""
        self._measure(cast(Any, self.trainer.test_dataloaders)[dataloader_idx].split, batch)

    def _measure(self, split: str, batch: Batch) -> None:
        metrics = cast(TeacherForced, self.measures[f"{split}_split"])
        metrics.add(*self._teacher_forced(batch))
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=len(batch.source), add_dataloader_idx=False)


def trainable(architecture: type[Seq2Seq]) -> type[TrainingModule]:
    """The architecture as a LightningModule: `trainable(GPT)(source_size, target_size)` is a GPT that can be trained.

    The class has the architecture's name and module, so that bundles and checkpoints name the architecture itself.
    Every call returns the same class.
    """
    if architecture not in _TRAINABLE:
        attributes = {key: getattr(architecture, key) for key in ("__module__", "__qualname__", "__doc__")}
        _TRAINABLE[architecture] = type(architecture.__name__, (architecture, TrainingModule), attributes)
    return _TRAINABLE[architecture]


_TRAINABLE: dict[type[Seq2Seq], type[TrainingModule]] = {}
"""The classes made so far, by their architecture."""
