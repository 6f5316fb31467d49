"""The search of a run or of a trained model, by its settings."""

from __future__ import annotations

from dataclasses import asdict

from seqlab.config.component import Component
from seqlab.decoding import Search
from seqlab.errors import InputError


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
