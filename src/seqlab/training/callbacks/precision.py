"""Which precision to train in: the faster one, on this machine, of this model."""

from __future__ import annotations

import contextlib
import statistics
from typing import Any, Final

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.utilities import GradClipAlgorithmType
from torch.optim import Optimizer

from seqlab.data.module import data_of
from seqlab.private_parts import cpu_has_bf16
from seqlab.training.dry_run import leaving_no_trace, timed_step, typical_batch

SINGLE: Final = "32-true"
HALF: Final = "bf16-mixed"
GAIN = 1.1
"""How much faster half precision must be to be taken: a smaller gain is not worth its digits, and may be chance."""


class Half(MixedPrecision):
    """bf16-mixed whose gradients may be clipped whatever the optimizer is.

    Lightning refuses fused ones, which undo the scaling of gradients themselves; those of bf16 are never scaled.
    """

    def clip_gradients(
        self,
        optimizer: Optimizer,
        clip_val: int | float = 0.0,
        gradient_clip_algorithm: GradClipAlgorithmType = GradClipAlgorithmType.NORM,
    ) -> None:
        """As in single precision."""
        Precision.clip_gradients(self, optimizer, clip_val, gradient_clip_algorithm)


def precision_facts(trainer: Trainer) -> dict[str, Any]:
    """The precision of a run, and how it was chosen, if it was."""
    facts: dict[str, Any] = {"precision": str(trainer.precision)}
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, FasterPrecision):
            facts["precision_seconds"] = callback.seconds
    return facts


class FasterPrecision(Callback):
    """Trains in bf16 (mixed) if its steps are faster than those in float32 by `GAIN`, and in float32 otherwise.

    A few steps of either, in turn, on a batch of middle length; they leave no trace. A resumed run keeps to what was
    chosen, and of several processes the first decides.

    Attributes:
        chosen: the precision, once it is known.
        seconds: of a step, by precision; only float32's where the device has no bf16.
    """

    ROUNDS = 5

    def __init__(self) -> None:
        self.chosen: str | None = None
        self.seconds: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        """The choice."""
        return {"chosen": self.chosen, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keeps to it."""
        self.chosen, self.seconds = state_dict["chosen"], state_dict["seconds"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measures, if nothing was chosen before, and tells what was."""
        if self.chosen is None:
            own = self._measured(trainer, pl_module)
            self.seconds = trainer.strategy.broadcast(own)
            self.chosen = HALF if self.seconds[SINGLE] > GAIN * self.seconds.get(HALF, torch.inf) else SINGLE
        self._apply(trainer)
        if trainer.is_global_zero:
            times = ", ".join(f"{1000 * value:.1f} ms a step in {name}" for name, value in self.seconds.items())
            missing = "" if HALF in self.seconds else f", {pl_module.device.type} has no bf16"
            print(f"precision   {self.chosen} ({times}{missing})", flush=True)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measures in the same precision, too, where a resumed run had nothing left to train."""
        self._apply(trainer)

    def _measured(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        """Median seconds of a step in each precision; the first step of each, which prepares things, is left out."""
        device = pl_module.device
        supported = trainer.strategy.broadcast(has_bf16(device))
        contexts: dict[str, contextlib.AbstractContextManager[Any]] = {SINGLE: contextlib.nullcontext()}
        if supported:
            contexts[HALF] = Half(HALF, device.type).autocast_context_manager()
        batch = typical_batch(data_of(trainer), device)
        seconds: dict[str, list[float]] = {name: [] for name in contexts}
        with leaving_no_trace(pl_module, device):
            for _ in range(1 + self.ROUNDS):
                for name, context in contexts.items():
                    with context:
                        seconds[name].append(timed_step(pl_module, batch))
        return {name: statistics.median(values[1:]) for name, values in seconds.items()}

    def _apply(self, trainer: Trainer) -> None:
        """Gives the trainer, which was built for float32, the precision that was chosen."""
        if self.chosen == HALF:
            trainer.strategy.precision_plugin = Half(HALF, trainer.strategy.root_device.type)
        else:
            trainer.strategy.precision_plugin = Precision()


def has_bf16(device: torch.device) -> bool:
    """Whether products in bf16 are this device's own, or nearly so: elsewhere a single step may take minutes."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and cpu_has_bf16()
