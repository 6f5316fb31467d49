"""Everything that architectures share: training, measuring and generating, written over `encode` and `decode`.

B batch, S source length, T target length, V target vocabulary. "*P" is B and T, or the N positions that are no padding.
"""

from __future__ import annotations

import inspect
import math
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from seqlab.data.batch import SPLITS, Batch
from seqlab.decoding import Hypotheses, Search, Step, Window
from seqlab.decoding.hypotheses import Selectable
from seqlab.decoding.window import Decode
from seqlab.errors import InputError
from seqlab.layers.attention import Attention, captured_attention, padding_mask
from seqlab.layers.packing import EVERYWHERE, Packing
from seqlab.layers.state import State
from seqlab.metrics.teacher_forced import TeacherForced
from seqlab.models.fast_attribute_access import quick_lookups
from seqlab.models.objective import Objective, sampled_logits, token_losses
from seqlab.special_tokens import BOS, PAD


def log_due(trainer: Any) -> bool:
    """Whether Lightning writes down what is logged in the optimizer step under way: the n-th, 2 n-th …"""
    return (trainer.global_step + 1) % max(1, trainer.log_every_n_steps) == 0


class Seq2Seq(LightningModule):
    """Base of every architecture. A subclass writes `encode` and `decode`; all the rest is here.

    Training runs `decode` over all target tokens at once (teacher forcing); generation calls the same `decode` one
    token at a time. So what is trained is what is searched.

    Args:
        source_size, target_size: number of ids of either side, the four specials included. Training gives them, and
            to a subclass that takes `sources` whether the data has any.
    """

    max_positions: int | None = None  # of a model that learns a vector for each position
    positional = False  # whether it tells tokens by their positions, so that it knows no texts longer than it was shown

    def __init__(self, source_size: int, target_size: int) -> None:
        super().__init__()
        self.source_size, self.target_size = source_size, target_size
        self.measures = nn.ModuleDict(
            {f"{split}_split": TeacherForced(target_size, f"{split}/teacher_forced/") for split in SPLITS}
        )
        self._objective = Objective()
        self._epochs_before = (0, 0)
        self._train_loss = torch.zeros(3)  # cross-entropy and what is minimised, summed over tokens; tokens

    @abstractmethod
    def encode(self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"]) -> State:
        """Reads the sources (PAD on the right) into the state from which the decoder starts."""

    @abstractmethod
    def decode(self, tokens: Int[Tensor, "B T"], state: State) -> tuple[Float[Tensor, "*P V"], State]:
        """Logits of the token after each of `tokens`, and the state after the last of them.

        Decoding tokens together or one after another through the state gives the same logits. Where `state.packing`
        leaves out padding, they may be (N, V): those of the real positions alone.
        """

    def forward(
        self,
        source: Int[Tensor, "B S"],
        source_lengths: Int[Tensor, " B"],
        tokens: Int[Tensor, "B T"],
        real: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "*P V"]:
        """Teacher-forced logits of the token after each of `tokens`.

        With `real`, which is False at the padding on the right, those of the N real positions alone, (N, V), where
        leaving out padding pays.
        """
        packing = EVERYWHERE if real is None else Packing.of(real)
        logits, _ = self.decode(tokens, replace(self.encode(source, source_lengths), packing=packing))
        return logits if logits.dim() == 2 else packing.pack(logits)

    def positions_needed(self, source_length: int, target_length: int) -> int:
        """Positions that a pair occupies (BOS occupies one of the target, EOS none); `max_positions` is the limit."""
        return max(source_length, target_length)

    def check_lengths(self, source_length: int, target_length: int) -> None:
        """Refuses lengths beyond the positions that the model has learnt.

        Raises:
            InputError: such a pair needs more than `max_positions`.
        """
        needed = self.positions_needed(source_length, target_length)
        if self.max_positions is not None and needed > self.max_positions:
            raise InputError(
                f"a source of {source_length} tokens and a target of up to {target_length} need {needed} positions, but"
                f" model.max_positions is {self.max_positions}"
            )

    @torch.inference_mode()
    def generate(
        self,
        source: Int[Tensor, "B S"],
        source_lengths: Int[Tensor, " B"],
        search: Search,
        prompt: Int[Tensor, "B P"] | None = None,
        window: int | None = None,
    ) -> Hypotheses:
        """Generates free-running by `search`, after the tokens `prompt` (by default BOS). Call `eval()` first.

        With a `window` outputs may grow longer than the model has positions for: see `begin`.

        Raises:
            InputError: outputs may grow longer than the model has positions for.
        """
        said = window or (0 if prompt is None else prompt.size(1) - 1) + search.max_length
        self.check_lengths(int(source_lengths.max()), said)
        with quick_lookups(self):
            return search(*self.begin(source, source_lengths, prompt, window))

    def begin(
        self,
        source: Int[Tensor, "B S"],
        source_lengths: Int[Tensor, " B"],
        prompt: Int[Tensor, "B P"] | None = None,
        window: int | None = None,
    ) -> tuple[Step, Selectable, Int[Tensor, " B"]]:
        """What a search starts from: the step, the state before the last token of `prompt` (by default BOS), and it.

        With a `window`, a positional model sees no more than that many tokens at once; of a longer prompt it sees the
        last that fit.
        """
        if prompt is None:
            prompt = source_lengths.new_full((len(source), 1), BOS)
        state = self.encode(source, source_lengths)
        if window is not None and self.positional:
            prompt = prompt[:, -window:]
            within = Window(cast(Decode, self.decode), window)
            return within, within.begin(prompt[:, :-1], state), prompt[:, -1]
        if prompt.size(1) > 1:
            _, state = self.decode(prompt[:, :-1], state)
        return cast(Step, self._step), state, prompt[:, -1]

    def _step(self, tokens: Int[Tensor, " B"], state: State) -> tuple[Float[Tensor, "B V"], State]:
        logits, state = self.decode(tokens[:, None], state)
        return logits[:, -1], state

    @property
    def attends(self) -> bool:
        """Whether there is attention inside the model."""
        return any(isinstance(module, Attention) for module in self.modules())

    @torch.inference_mode()
    def attention_maps(
        self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"], tokens: Int[Tensor, "B T"]
    ) -> dict[str, Float[Tensor, "B H _ _"]]:
        """The weights of each attention inside the model while it decodes `tokens`, by the name of its module.

        (B, heads, queries, memory), summing to 1 over the memory. An attention without heads counts as having one; a
        model without attention returns an empty dictionary. Call `eval()` first.
        """
        with captured_attention(self) as maps:
            self(source, source_lengths, tokens)
        return {name: _with_heads(steps) for name, steps in maps.items()}

    # Training -----------------------------------------------------------------------------------------------

    def configure_training(
        self,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., Any] | None = None,
        objective: Objective | None = None,
        epochs_before: tuple[int, int] = (0, 0),
    ) -> None:
        """Sets how to train: `optimizer(named parameters)` and `scheduler(optimizer)`, stepped after every batch.

        A scheduler that takes `total_steps` is given the number of optimizer steps of the whole run. One that has a
        `monitor` is stepped with that metric after each validation instead. Without an objective the teacher-forced
        cross-entropy is minimised. In a resumed run whose earlier epochs had another number of steps, `epochs_before`
        holds how many such epochs there were, and their steps altogether.
        """
        self._optimizer, self._scheduler, self._epochs_before = optimizer, scheduler, epochs_before
        self._objective = objective or Objective()

    def configure_optimizers(self) -> Any:
        """For Lightning: what `configure_training` was given.

        Raises:
            InputError: the optimizer or the scheduler refuses its settings.
        """
        try:
            optimizer = self._optimizer([(name, p) for name, p in self.named_parameters() if p.requires_grad])
        except (TypeError, ValueError) as error:
            raise InputError(f"optimizer: {error}") from error
        if self._scheduler is None:
            return optimizer
        extra = {}
        if "total_steps" in inspect.signature(self._scheduler).parameters:
            steps = self.total_steps()
            if math.isinf(steps):
                raise InputError("scheduler: needs an end of training: set trainer.max_epochs or trainer.max_steps")
            extra["total_steps"] = int(steps)
        try:
            scheduler = self._scheduler(optimizer, **extra)
        except (TypeError, ValueError) as error:
            raise InputError(f"scheduler: {error}") from error
        how: dict[str, Any] = {"scheduler": scheduler, "interval": "step"}
        if hasattr(scheduler, "monitor"):
            # Lightning would step it at the end of an epoch, which it misses after a resume within one.
            how |= {"interval": "epoch", "frequency": sys.maxsize, "reduce_on_plateau": False}
        return {"optimizer": optimizer, "lr_scheduler": how}

    def total_steps(self) -> float:
        """Optimizer steps of the whole run, infinite where nothing ends it."""
        trainer, (epochs, steps) = self.trainer, self._epochs_before
        estimate = trainer.estimated_stepping_batches
        if not epochs or trainer.max_epochs is None or trainer.max_epochs < 0:
            return estimate
        an_epoch = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
        every = steps + (trainer.max_epochs - epochs) * an_epoch
        return every if trainer.max_steps < 0 else min(every, trainer.max_steps)

    def on_train_start(self) -> None:
        """Refuses to wait for validations that will not come.

        Raises:
            InputError: the scheduler needs a validation split, and there is none.
        """
        if self._monitoring() and not sum(self.trainer.num_val_batches):
            raise InputError("scheduler: needs a validation split, and there is none")

    def on_validation_end(self) -> None:
        """Steps a scheduler that follows a metric.

        Raises:
            InputError: there is no such metric.
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
        """What is minimised: the mean per target token of this batch, over all processes that share it.

        Without a Trainer, in a training loop of one's own, the mean is that of this process alone.
        """
        if self._objective.teacher_forcing == 1:
            logits, asked = self._told(batch)
        else:
            state = self.encode(batch.source, batch.source_lengths)
            logits = sampled_logits(self.decode, state, batch.decoder_input, self._objective.teacher_forcing)
            asked = batch.labels
        total, plain = token_losses(logits, asked, self._objective.label_smoothing)
        tokens = (asked != PAD).sum()
        self._batch_loss = torch.stack([plain.detach(), total.detach(), tokens])
        if self._trainer is not None and self._trainer.world_size > 1:
            # Gradients are averaged over processes: this makes the average that of one process on the whole batch.
            tokens = self.trainer.strategy.reduce(tokens.float(), reduce_op="mean")
        self.step_loss = plain.detach() / tokens  # without smoothing; averaged over processes it is the batch's
        return total / tokens

    def _told(self, batch: Batch) -> tuple[Float[Tensor, "*P V"], Int[Tensor, "*P"]]:
        """Teacher-forced logits and what was asked for; where leaving out padding pays, of the real positions alone."""
        real = padding_mask(batch.target_lengths - 1, batch.decoder_input.size(1))
        logits = self(batch.source, batch.source_lengths, batch.decoder_input, real)
        return logits, batch.labels[real] if logits.dim() == 2 else batch.labels

    def training_step(self, batch: Batch, batch_index: int) -> Float[Tensor, ""]:
        """What is minimised; the plain cross-entropy is logged."""
        loss = self.loss(batch)
        self._train_loss = self._train_loss.to(loss.device) + self._batch_loss
        if log_due(self.trainer):
            self.log("train/step_loss", self.step_loss, sync_dist=self.trainer.world_size > 1)
        return loss

    def epoch_loss(self) -> Float[Tensor, ""]:
        """Mean cross-entropy per token of the epoch so far, over this process's rows."""
        return self._train_loss[0] / self._train_loss[2].clamp(min=1)

    def on_train_epoch_end(self) -> None:
        """Logs the epoch's cross-entropy over all processes, named by how the decoder was fed, and the objective."""
        totals = self._train_loss
        if self.trainer.world_size > 1:
            totals = self.trainer.strategy.reduce(totals, reduce_op="sum")
        plain, minimised = totals[:2] / totals[2].clamp(min=1)
        kind = "teacher_forced" if self._objective.teacher_forcing == 1 else "scheduled_sampling"
        self.log(f"train/{kind}/loss", plain)
        if self._objective.label_smoothing:
            self.log("train/objective", minimised)
        self._train_loss = torch.zeros(3, device=self.device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the loss of a half-finished epoch."""
        checkpoint["train_loss"] = self._train_loss.cpu()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores that loss."""
        self._train_loss = checkpoint["train_loss"]

    # Measuring ----------------------------------------------------------------------------------------------

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
        """Teacher-forced metrics of each split that is measured after training."""
        self._measure(cast(Any, self.trainer.test_dataloaders)[dataloader_idx].split, batch)

    def _measure(self, split: str, batch: Batch) -> None:
        metrics = cast(TeacherForced, self.measures[f"{split}_split"])
        metrics.add(*self._told(batch))
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=len(batch.source), add_dataloader_idx=False)


def _with_heads(calls: list[Tensor]) -> Float[Tensor, "B H _ _"]:
    """Joins the weights of an attention called once per step, (B, M), or for all steps: (B, T, M), (B, H, T, M).

    When called for all steps, the last call counts: earlier ones are a decoder-only model reading its source.
    """
    weights = torch.stack(calls, dim=1) if calls[0].dim() == 2 else calls[-1]
    return weights if weights.dim() == 4 else weights[:, None]
