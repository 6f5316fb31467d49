"""The trainer of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.profilers import PassThroughProfiler

from seqlab.config.component import Component
from seqlab.training.callbacks.precision import HALF, SINGLE, FasterPrecision, HalfPrecision


def build_trainer(component: Component, callbacks: Sequence[Callback], **settings: Any) -> Trainer:
    """Builds the trainer from the settings in `trainer`; with `precision: auto` it chooses one when training starts.

    Raises:
        InputError: the trainer refuses its settings.
    """
    if component.get("precision") == "auto":
        callbacks = [FasterPrecision(), *callbacks]  # first, because the others time steps in that precision
        settings["precision"] = SINGLE
    if component.get("profiler") is None:
        settings["profiler"] = NoProfiler()
    trainer: Trainer = component.build(callbacks=list(callbacks), **settings)
    if trainer.precision == HALF:
        trainer.strategy.precision_plugin = HalfPrecision(HALF, trainer.strategy.root_device.type)
    return trainer


class NoProfiler(PassThroughProfiler):
    """Profiles nothing. Lightning's own does the same, but costs time around every hook of every callback."""

    _nothing = contextlib.nullcontext()

    def profile(self, action_name: str) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        """A null context."""
        return self._nothing
