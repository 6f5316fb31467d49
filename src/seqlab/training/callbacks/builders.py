"""The callbacks of a run, by its configuration."""

from __future__ import annotations

from typing import NamedTuple

from lightning.pytorch import Callback
from omegaconf import DictConfig

from seqlab.arguments import check_arguments
from seqlab.config.instantiate import build_each, build_settings
from seqlab.config.settings import plain
from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.training.callbacks.checkpoints import Saver
from seqlab.training.callbacks.generation_eval import GenerationEval
from seqlab.training.callbacks.throughput import Throughput
from seqlab.training.callbacks.weight_averaging import Averager


def check_callback_settings(config: DictConfig) -> None:
    """Checks what can be known of the callbacks' settings before the data are read.

    Raises:
        InputError: `free_running` has a setting of another kind.
    """
    check_arguments(GenerationEval, plain(config.free_running), "free_running")


class Callbacks(NamedTuple):
    """Everything that watches a run, and those parts of it that are asked when training is over."""

    all: list[Callback]
    saver: Saver
    throughput: Throughput
    averager: Averager  # among `all` only where averaged weights are asked for


def callbacks_of(config: DictConfig, search: Search, began: float | None = None) -> Callbacks:
    """The callbacks of `config`, and those that every run has; `began` as in `Throughput`.

    Raises:
        InputError: settings that one does not take, or none that saves the weights.
    """
    callbacks = build_each(config.callbacks, "callbacks")
    callbacks["free_running"] = GenerationEval(search, **config.free_running)
    callbacks["throughput"] = throughput = Throughput(began)
    saver = callbacks.get("saver")
    if not isinstance(saver, Saver):
        raise InputError("callbacks.saver must be there: without it nothing is kept")
    averager = build_settings(Averager, config.average, "average", saver=saver)
    if config.weights == "average":
        callbacks["averager"] = averager
    return Callbacks(list(callbacks.values()), saver, throughput, averager)
