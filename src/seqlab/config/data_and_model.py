"""Builds the data and the model of a run from its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqlab.config.component import Component
from seqlab.data.module import SequenceData
from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.models.base import Seq2Seq


def build_data(component: Component) -> SequenceData:
    """The dataset, with its examples and tokenizers in memory.

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


def build_model(
    component: Component, data: SequenceData, wrap: Callable[[type[Seq2Seq]], type[Seq2Seq]] | None = None
) -> Seq2Seq:
    """The architecture that the settings of `model` name, for a dataset.

    Args:
        wrap: called with the architecture's class; its result is called instead (see `trainable`).

    Raises:
        InputError: settings that cannot be used.
    """
    model: Seq2Seq = component.build(Seq2Seq, wrap, **sizes_for(component, data))
    return model


def sizes_for(component: Component, data: SequenceData) -> dict[str, Any]:
    """The arguments of a model that its data determines: the sizes of both vocabularies and, if it takes `sources`,
    whether the data has any.
    """
    sizes = {"source_size": data.source_size, "target_size": data.target_size}
    return sizes | ({"sources": data.longest_source > 0} if component.takes("sources") else {})


def model_settings(component: Component, data: SequenceData) -> dict[str, Any]:
    """All arguments of the model that `build_model` builds, as plain data."""
    return component.arguments | sizes_for(component, data)


def check_lengths(model: Seq2Seq, data: SequenceData, search: Search) -> None:
    """Checks that the model has positions for the longest example and the longest output, before any is computed.

    (A model that continues a text sees no more tokens than in training, however long the text grows.)

    Raises:
        InputError: the model has too few.
    """
    longest_output = search.max_length if data.has_bos_eos else 0
    try:
        model.check_lengths(data.longest_source, max(data.longest_target, longest_output))
    except InputError as error:
        raise InputError(f"{data.describe()}: {error}") from None
