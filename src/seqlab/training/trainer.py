"""The trainer of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.profilers import PassThroughProfiler

from seqlab.config.component import Component
from seqlab.private_parts import let_epochs_end
from seqlab.training.callbacks.precision import (
    HALF,
    SINGLE,
    TF32,
    FasterPrecision,
    HalfPrecision,
    choose_gpu_kernels,
    single_precision,
)


def build_trainer(component: Component, callbacks: Sequence[Callback], **settings: Any) -> Trainer:
    """Builds the trainer from the settings in `trainer`, and sets which kernels this process uses on a GPU.

    With `precision: tf32` it uses TF32 where the device has it, else full single precision, as `32-true` always does;
    with `precision: auto` it chooses a precision when training starts.

    Raises:
        InputError: the trainer refuses its settings.
    """
    precision = component.get("precision")
    if precision == "auto":
        callbacks = [FasterPrecision(), *callbacks]  # first, because the others time steps in that precision
    if precision in ("auto", TF32):
        settings["precision"] = SINGLE
    if component.get("profiler") is None:
        settings["profiler"] = NoProfiler()
    trainer: Trainer = component.build(callbacks=list(callbacks), **settings)
    let_epochs_end(trainer)
    device = trainer.strategy.root_device
    if precision in ("auto", TF32):
        trainer.strategy.precision_plugin = single_precision(device)
    elif trainer.precision == HALF:
        trainer.strategy.precision_plugin = HalfPrecision(HALF, device.type)
    if device.type == "cuda":
        choose_gpu_kernels(tf32=trainer.precision != SINGLE)
    return trainer


class NoProfiler(PassThroughProfiler):
    """Profiles nothing. Lightning's own does the same, but costs time around every hook of every callback."""

    _nothing = contextlib.nullcontext()

    def profile(self, action_name: str) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        """A null context."""
        return self._nothing
