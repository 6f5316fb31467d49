"""The callbacks of a run, by its settings."""

from __future__ import annotations

from typing import NamedTuple

from lightning.pytorch import Callback

from seqlab.config.settings import TrainSettings
from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.training.callbacks.checkpoints import Saver
from seqlab.training.callbacks.generation_eval import GenerationEval
from seqlab.training.callbacks.throughput import Throughput
from seqlab.training.callbacks.weight_averaging import Averager


class Callbacks(NamedTuple):
    """Everything that watches a run, and those parts of it that are asked when training is over."""

    all: list[Callback]
    saver: Saver
    throughput: Throughput
    averager: Averager  # among `all` only where averaged weights are asked for


def callbacks_of(settings: TrainSettings, search: Search, began: float | None = None) -> Callbacks:
    """The callbacks of the settings, and those that every run has; `began` as in `Throughput`.

    Raises:
        InputError: settings that one does not take, or none that saves the weights.
    """
    callbacks = {name: component.build() for name, component in settings.callbacks.items()}
    callbacks["free_running"] = settings.free_running.build_as(GenerationEval, search=search)
    callbacks["throughput"] = throughput = Throughput(began)
    saver = callbacks.get("saver")
    if not isinstance(saver, Saver):
        raise InputError("callbacks.saver must be there: without it nothing is kept")
    averager = settings.average.build_as(Averager, saver=saver)
    if settings.weights == "average":
        callbacks["averager"] = averager
    return Callbacks(list(callbacks.values()), saver, throughput, averager)
