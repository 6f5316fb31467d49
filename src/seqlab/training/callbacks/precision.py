"""Chooses the precision to train in: the one in which this model's steps are faster on this machine."""

from __future__ import annotations

import contextlib
import statistics
from typing import Any, Final

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.utilities import GradClipAlgorithmType
from torch.optim import Optimizer

from hydra_pruning_sweeper.messages import labelled
from seqlab.data.module import data_of
from seqlab.private_parts import cpu_has_bf16
from seqlab.training.dry_run import timed_step, typical_batch, without_side_effects

SINGLE: Final = "32-true"
HALF: Final = "bf16-mixed"
MIN_SPEEDUP = 1.1
"""How many times faster half precision must be: a smaller speed-up is not worth the lost digits, and may be chance."""


class HalfPrecision(MixedPrecision):
    """bf16-mixed that can clip gradients with any optimizer.

    Lightning refuses to clip with fused optimizers, which unscale gradients themselves; in bf16 they are never scaled.
    """

    def clip_gradients(
        self,
        optimizer: Optimizer,
        clip_val: int | float = 0.0,
        gradient_clip_algorithm: GradClipAlgorithmType = GradClipAlgorithmType.NORM,
    ) -> None:
        """Clips as in single precision."""
        Precision.clip_gradients(self, optimizer, clip_val, gradient_clip_algorithm)


def precision_facts(trainer: Trainer) -> dict[str, Any]:
    """The precision of a run and, with `precision: auto`, the seconds per step by which it was chosen."""
    facts: dict[str, Any] = {"precision": str(trainer.precision)}
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, FasterPrecision):
            facts["precision_seconds"] = callback.seconds
    return facts


class FasterPrecision(Callback):
    """Trains in bf16 (mixed) if its steps are `MIN_SPEEDUP` times faster than those in float32, else in float32.

    It times a few steps in each, alternately and without side effects, on the batch of median length. A resumed run
    keeps the first choice; of several processes the first decides.

    Attributes:
        chosen: the precision, None before it is chosen.
        seconds: seconds per step, by precision; without bf16 if the device does not support it.
    """

    ROUNDS = 5

    def __init__(self) -> None:
        self.chosen: str | None = None
        self.seconds: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        """The choice and its timings."""
        return {"chosen": self.chosen, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the choice."""
        self.chosen, self.seconds = state_dict["chosen"], state_dict["seconds"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Chooses a precision by timing, unless the checkpoint has one; applies and prints it."""
        if self.chosen is None:
            self.seconds = trainer.strategy.broadcast(self._step_seconds(trainer, pl_module))
            self.chosen = HALF if self.seconds[SINGLE] > MIN_SPEEDUP * self.seconds.get(HALF, torch.inf) else SINGLE
        self._apply(trainer)
        if trainer.is_global_zero:
            times = ", ".join(f"{1000 * value:.1f} ms per step in {name}" for name, value in self.seconds.items())
            missing = "" if HALF in self.seconds else f", {pl_module.device.type} has no bf16"
            print(labelled("precision", f"{self.chosen} ({times}{missing})"), flush=True)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Applies the precision even if a resumed run had nothing left to train."""
        self._apply(trainer)

    def _step_seconds(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        """Median seconds per step in each precision, without the first step of each, which is slower."""
        device = pl_module.device
        supported = trainer.strategy.broadcast(has_bf16(device))
        contexts: dict[str, contextlib.AbstractContextManager[Any]] = {SINGLE: contextlib.nullcontext()}
        if supported:
            contexts[HALF] = HalfPrecision(HALF, device.type).autocast_context_manager()
        batch = typical_batch(data_of(trainer), device)
        seconds: dict[str, list[float]] = {name: [] for name in contexts}
        with without_side_effects(pl_module, device):
            for _ in range(1 + self.ROUNDS):
                for name, context in contexts.items():
                    with context:
                        seconds[name].append(timed_step(pl_module, batch))
        return {name: statistics.median(values[1:]) for name, values in seconds.items()}

    def _apply(self, trainer: Trainer) -> None:
        """Gives the trainer, which was built for float32, the chosen precision."""
        if self.chosen == HALF:
            trainer.strategy.precision_plugin = HalfPrecision(HALF, trainer.strategy.root_device.type)
        else:
            trainer.strategy.precision_plugin = Precision()


def has_bf16(device: torch.device) -> bool:
    """Whether the device has fast bf16 matrix products: where they are emulated, a single step may take minutes."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and cpu_has_bf16()
