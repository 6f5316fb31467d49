"""The precisions of a run: those that Lightning has, TF32, and the choice of the fastest on this machine."""

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
from seqlab.training.dry_run import timed_step, trial_steps, typical_batch, untimed, without_side_effects

SINGLE: Final = "32-true"
TF32: Final = "tf32"
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


class TensorFloat32(Precision):
    """Single precision, in which a GPU rounds the factors of matrix products to 10 bits of mantissa (TF32)."""

    precision = TF32  # type: ignore[assignment]  # Lightning has no name for it


def single_precision(device: torch.device) -> Precision:
    """Single precision: with TF32 on a GPU that has it."""
    return TensorFloat32() if has_tf32(device) else Precision()


def has_tf32(device: torch.device) -> bool:
    """Whether the device computes matrix products in TF32, several times as fast as in full single precision."""
    return device.type == "cuda" and torch.cuda.is_tf32_supported()


def choose_gpu_kernels(tf32: bool) -> None:
    """Sets for this process whether float32 products, convolutions and recurrent layers on a GPU use TF32, and leaves
    out cuDNN's attention: it builds a plan for each new shape, which made a Transformer's step in half precision take
    ten times as long on sentences.
    """
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.enable_cudnn_sdp(False)


def precision_facts(trainer: Trainer) -> dict[str, Any]:
    """The precision of a run and, with `precision: auto`, the seconds per step by which it was chosen."""
    facts: dict[str, Any] = {"precision": str(trainer.precision)}
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, FasterPrecision):
            facts["precision_seconds"] = callback.seconds
    return facts


class FasterPrecision(Callback):
    """Trains in bf16 (mixed) if its steps are `MIN_SPEEDUP` times faster than those in single precision, else in that:
    with TF32 on a GPU that has it.

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
            single, *_ = self.seconds
            self.chosen = HALF if self.seconds[single] > MIN_SPEEDUP * self.seconds.get(HALF, torch.inf) else single
        self._apply(trainer)
        if trainer.is_global_zero:
            times = ", ".join(f"{1000 * value:.1f} ms per step in {name}" for name, value in self.seconds.items())
            missing = "" if HALF in self.seconds else f", {pl_module.device.type} has no bf16"
            print(labelled("precision", f"{trainer.precision} ({times}{missing})"), flush=True)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Applies the precision even if a resumed run had nothing left to train."""
        self._apply(trainer)

    def _step_seconds(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        """Median seconds per step in each precision, single precision first."""
        device = pl_module.device
        supported = trainer.strategy.broadcast(has_bf16(device))
        single = str(single_precision(device).precision)
        contexts: dict[str, contextlib.AbstractContextManager[Any]] = {single: contextlib.nullcontext()}
        if supported:
            contexts[HALF] = HalfPrecision(HALF, device.type).autocast_context_manager()
        data = data_of(trainer)
        batch = typical_batch(data, device)
        seconds: dict[str, list[float]] = {name: [] for name in contexts}
        with without_side_effects(pl_module, device):
            steps = {name: trial_steps(data, pl_module) for name in contexts}
            first = max(map(untimed, steps.values()))
            for _ in range(first + self.ROUNDS):
                for name, context in contexts.items():
                    with context:
                        seconds[name].append(timed_step(pl_module, batch, steps[name]))
        for captured in steps.values():
            if captured is not None:
                captured.release()
        return {name: statistics.median(values[first:]) for name, values in seconds.items()}

    def _apply(self, trainer: Trainer) -> None:
        """Gives the trainer, which was built for single precision, the chosen one."""
        device = trainer.strategy.root_device
        plugin = HalfPrecision(HALF, device.type) if self.chosen == HALF else single_precision(device)
        trainer.strategy.precision_plugin = plugin


def has_bf16(device: torch.device) -> bool:
    """Whether the device has fast bf16 matrix products: where they are emulated, a single step may take minutes."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and cpu_has_bf16()
