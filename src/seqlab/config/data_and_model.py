"""Data, model and search of a run, by its configuration."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from omegaconf import DictConfig

from seqlab.config.instantiate import build, build_settings, takes
from seqlab.config.settings import plain
from seqlab.data.module import SequenceData
from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.models.base import Seq2Seq


def build_data(config: DictConfig) -> SequenceData:
    """The dataset, its examples and tokenizers in memory.

    Raises:
        InputError: settings or files that cannot be used.
    """
    data: SequenceData = build(config, "data", SequenceData)
    try:
        data.prepare_data()
        data.setup("fit")
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"data: {error}") from error
    return data


def build_model(config: DictConfig, data: SequenceData) -> Seq2Seq:
    """The architecture of a config of conf/model, for a dataset.

    Raises:
        InputError: settings that cannot be used.
    """
    model: Seq2Seq = build(config, "model", Seq2Seq, **told_of(data, config))
    return model


def told_of(data: SequenceData, config: DictConfig) -> dict[str, Any]:
    """What a model is told of its data: how many ids there are and, where it takes `sources`, whether there are any."""
    told = {"source_size": data.source_size, "target_size": data.target_size}
    return told | ({"sources": data.longest_source > 0} if takes(config, "sources") else {})


def model_settings(config: DictConfig, data: SequenceData) -> dict[str, Any]:
    """The arguments of the model that `build_model` builds, as plain data."""
    settings = plain(config, resolve=True) | told_of(data, config)
    return {name: value for name, value in settings.items() if name != "_target_"}


def search_limit(config: DictConfig, longest: int | None) -> dict[str, Any]:
    """`longest` as the limit of a search that names none itself."""
    unlimited = isinstance(config.decoding, DictConfig) and config.decoding.get("max_length") is None
    return {"max_length": longest} if unlimited else {}


def build_search(config: DictConfig, longest: int | None) -> Search:
    """The search of `config.decoding`; where it names no `max_length`, it stops at `longest`.

    Raises:
        InputError: settings that the search does not take.
    """
    search: Search = build(config.decoding, "decoding", Search, **search_limit(config, longest))
    return search


def search_again(config: DictConfig, own: Search, longest: int) -> Search:
    """How to search with a trained model: as `config.decoding` says, by its `own` search where that is null.

    Settings without a search are changes to the model's own.

    Raises:
        InputError: settings that the search does not take.
    """
    if config.decoding is None:
        return own
    if "_target_" in config.decoding:
        return build_search(config, longest)
    settings = asdict(own)
    if unknown := [str(name) for name in config.decoding if name not in settings]:
        raise InputError(
            f"decoding.{unknown[0]}: unknown key; the model's own search is {type(own).__name__}, which takes"
            f" {', '.join(settings)}; choose decoding=greedy, beam or sample for another"
        )
    kept = {name: value for name, value in settings.items() if name not in config.decoding}
    search: Search = build_settings(type(own), config.decoding, "decoding", **kept)
    return search


def check_lengths(model: Seq2Seq, data: SequenceData, search: Search) -> None:
    """Holds the longest example and the longest output against what the model can count to, before it meets them.

    (Of a text that it continues a model sees no more than it was trained on, however long the text grows.)

    Raises:
        InputError: they are too long.
    """
    said = search.max_length if data.has_bos_eos else 0
    try:
        model.check_lengths(data.longest_source, max(data.longest_target, said))
    except InputError as error:
        raise InputError(f"{data.describe()}: {error}") from None
