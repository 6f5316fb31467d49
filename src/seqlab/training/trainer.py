"""The trainer of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.profilers import PassThroughProfiler

from seqlab.config.component import Component
from seqlab.training.callbacks.precision import HALF, SINGLE, FasterPrecision, Half


def build_trainer(component: Component, callbacks: Sequence[Callback], **settings: Any) -> Trainer:
    """The trainer of the settings of `trainer`; with `precision: auto` one that chooses it when training starts.

    Raises:
        InputError: settings that it does not take.
    """
    if component.get("precision") == "auto":
        callbacks = [FasterPrecision(), *callbacks]  # the others measure and tell how long a step takes
        settings["precision"] = SINGLE
    if component.get("profiler") is None:
        settings["profiler"] = NoProfiler()
    trainer: Trainer = component.build(callbacks=list(callbacks), **settings)
    if trainer.precision == HALF:
        trainer.strategy.precision_plugin = Half(HALF, trainer.strategy.root_device.type)
    return trainer


class NoProfiler(PassThroughProfiler):
    """Profiles nothing. Lightning's own does the same, but takes time for it around every hook of every callback."""

    _nothing = contextlib.nullcontext()

    def profile(self, action_name: str) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        """A context that does nothing."""
        return self._nothing
