"""Data, model and search of a run, by its settings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from seqlab.config.component import Component
from seqlab.data.module import SequenceData
from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.models.base import Seq2Seq


def build_data(component: Component) -> SequenceData:
    """The dataset, its examples and tokenizers in memory.

    Raises:
        InputError: settings or files that cannot be used.
    """
    data: SequenceData = component.build(SequenceData)
    try:
        data.prepare_data()
        data.setup("fit")
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"data: {error}") from error
    return data


def build_model(component: Component, data: SequenceData) -> Seq2Seq:
    """The architecture that the settings of `model` name, for a dataset.

    Raises:
        InputError: settings that cannot be used.
    """
    model: Seq2Seq = component.build(Seq2Seq, **sizes_for(component, data))
    return model


def sizes_for(component: Component, data: SequenceData) -> dict[str, Any]:
    """What a model has to know of its data: the sizes of the vocabularies and, where it takes `sources`, whether there
    are any.
    """
    sizes = {"source_size": data.source_size, "target_size": data.target_size}
    return sizes | ({"sources": data.longest_source > 0} if component.takes("sources") else {})


def model_settings(component: Component, data: SequenceData) -> dict[str, Any]:
    """The arguments of the model that `build_model` builds, as plain data."""
    return component.arguments | sizes_for(component, data)


def build_search(decoding: Component, longest: int | None) -> Search:
    """The search of the settings; where they name no `max_length`, it stops at `longest`.

    Raises:
        InputError: settings that the search does not take.
    """
    limit = {"max_length": longest} if decoding.get("max_length") is None else {}
    search: Search = decoding.build(Search, **limit)
    return search


def search_again(decoding: Component | None, own: Search, longest: int) -> Search:
    """How to search with a trained model: as the settings say, by its `own` search where there are none.

    Settings without a search are changes to the model's own.

    Raises:
        InputError: settings that the search does not take.
    """
    if decoding is None:
        return own
    if decoding.has_target:
        return build_search(decoding, longest)
    settings = asdict(own)
    if unknown := [str(name) for name in decoding.settings if name not in settings]:
        raise InputError(
            f"decoding.{unknown[0]}: unknown key; the model's own search is {type(own).__name__}, which takes"
            f" {', '.join(settings)}; choose decoding=greedy, beam or sample for another"
        )
    kept = {name: value for name, value in settings.items() if name not in decoding.settings}
    search: Search = decoding.build_as(type(own), **kept)
    return search


def check_lengths(model: Seq2Seq, data: SequenceData, search: Search) -> None:
    """Holds the longest example and the longest output against what the model can count to, before it meets them.

    (Of a text that it continues a model sees no more than it was trained on, however long the text grows.)

    Raises:
        InputError: they are too long.
    """
    longest_output = search.max_length if data.has_bos_eos else 0
    try:
        model.check_lengths(data.longest_source, max(data.longest_target, longest_output))
    except InputError as error:
        raise InputError(f"{data.describe()}: {error}") from None
