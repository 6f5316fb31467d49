"""What a run reports to a search of several objectives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from hydra_pruning_sweeper.trial.context import context_of_trial
from seqlab.errors import InputError
from seqlab.models.base import parameter_count
from seqlab.training.callbacks.checkpoints import Saver, is_within_training
from seqlab.training.callbacks.throughput import Throughput

FACTS = ("parameters", "trained_parameters", "seconds", "flops", "tokens_per_second")
"""What may be an objective besides the validation metrics; named as in `result.json`."""


class ObjectivesReport(Callback):
    """Keeps the validation metrics of the best checkpoint, which may be objectives of a search, as the `FACTS` may.

    Args:
        names: the objectives' names.
        saver: decides which checkpoint is best.
        throughput: counts seconds and operations.
    """

    def __init__(self, names: Sequence[str], saver: Saver, throughput: Throughput) -> None:
        self.names, self.saver, self.throughput = names, saver, throughput
        self.metrics: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        """The metrics of the best checkpoint."""
        return {"metrics": self.metrics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores them."""
        self.metrics = state_dict["metrics"]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keeps the metrics of this validation if it is the best so far, before the saver, which comes last, saves it.

        Raises:
            InputError: an objective is no metric of the validation, and none of the facts.
        """
        if not is_within_training(trainer):
            return
        logged = trainer.callback_metrics.items()
        metrics = {name: float(value) for name, value in logged if name.startswith("val/")}
        for name in self.names:
            if name not in metrics and name not in FACTS:
                known = ", ".join((*sorted(metrics), *FACTS))
                raise InputError(
                    f"hydra.sweeper.direction: a run has no {name!r} to be an objective; there are {known}"
                    " (free-running metrics need free_running.every_n_epochs=1)"
                )
        if self.saver.improves(self.saver.value(trainer)):
            self.metrics = metrics

    def values(self, model: LightningModule) -> dict[str, float]:
        """The metrics of the best checkpoint and the facts; every process must call it."""
        counts = {"parameters": parameter_count(model), "trained_parameters": parameter_count(model, trained=True)}
        known = {**self.throughput.result(), **counts}
        return {**self.metrics, **{name: float(known[name]) for name in FACTS}}


def objectives_of_search() -> list[str]:
    """The objectives' names of the search that this run is a trial of; empty outside of one, or if it has only one."""
    context = context_of_trial()
    return [] if context is None or isinstance(context.direction, str) else list(context.direction)
