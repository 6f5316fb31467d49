"""Builds the callbacks of a run from its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lightning.pytorch import Callback, LightningModule

from hydra_pruning_sweeper.trial.pace import pace_path
from seqlab.config.settings import TrainSettings
from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.kinds import model_name
from seqlab.training.callbacks.capture_policy import CapturePolicy
from seqlab.training.callbacks.checkpoints import Saver
from seqlab.training.callbacks.generation_eval import FurtherSearch, GenerationEval
from seqlab.training.callbacks.objectives_report import ObjectivesReport, objectives_of_search
from seqlab.training.callbacks.throughput import Throughput
from seqlab.training.callbacks.weight_averaging import Averager


class Callbacks(NamedTuple):
    """All callbacks of a run, and by name those that are needed after training."""

    all: list[Callback]
    saver: Saver
    throughput: Throughput
    graphs: CapturePolicy
    averager: Averager  # in `all` only with weights=average
    objectives: ObjectivesReport | None  # in a search of several objectives

    def reached(self, model: LightningModule) -> float | dict[str, float] | None:
        """What a run came to, as a search reads it: the best value of the monitored metric, or see `ObjectivesReport`.
        None without a validation split.
        """
        return self.saver.best if self.objectives is None else self.objectives.values(model)


def callbacks_of(
    settings: TrainSettings, search: Search, further: Mapping[str, Search], began: float | None = None
) -> Callbacks:
    """Builds the configured callbacks and those that every run has; `began` as in `Throughput`.

    Args:
        search: the one of `decoding`.
        further: those of `also_decoding`.

    Raises:
        InputError: a callback refuses its settings, or there is no saver.
    """
    model = {"model": model_name(settings.model.settings)}
    callbacks = {
        name: component.build(**(model if component.takes("model") else {}))
        for name, component in settings.callbacks.items()
    }
    callbacks["free_running"] = settings.free_running.build_as(GenerationEval, search=search)
    callbacks |= {f"also_decoding.{name}": FurtherSearch(another, name) for name, another in further.items()}
    callbacks["cuda_graphs"] = graphs = CapturePolicy(settings.cuda_graphs)
    callbacks["throughput"] = throughput = Throughput(began)
    if pace_path() is not None:
        from hydra_pruning_sweeper.trial.lightning_callback import PaceReport

        callbacks["pace"] = PaceReport()
    saver = callbacks.get("saver")
    if not isinstance(saver, Saver):
        raise InputError("callbacks.saver must be there: without it no weights are saved")
    averager = settings.average.build_as(Averager, saver=saver)
    if settings.weights == "average":
        callbacks["averager"] = averager
    objectives = None
    if names := objectives_of_search():
        callbacks["objectives"] = objectives = ObjectivesReport(names, saver, throughput)
    return Callbacks(list(callbacks.values()), saver, throughput, graphs, averager, objectives)
