"""Builds the search of a run or of a trained model from settings."""

from __future__ import annotations

from dataclasses import asdict

from seqlab.config.component import Component
from seqlab.decoding import Search
from seqlab.errors import InputError


def build_search(decoding: Component, longest: int | None) -> Search:
    """The search that the settings describe; without a `max_length` it stops at `longest` tokens.

    Raises:
        InputError: settings that the search does not take.
    """
    limit = {"max_length": longest} if decoding.get("max_length") is None else {}
    search: Search = decoding.build(Search, **limit)
    return search


def search_again(decoding: Component | None, bundled: Search, longest: int) -> Search:
    """The search of a trained model: the one in the settings, or its bundle's if there are none.

    Settings that name no search change the one in the bundle.

    Raises:
        InputError: settings that the search does not take.
    """
    if decoding is None:
        return bundled
    if decoding.has_target:
        return build_search(decoding, longest)
    settings = asdict(bundled)
    if unknown := [str(name) for name in decoding.settings if name not in settings]:
        raise InputError(
            f"decoding.{unknown[0]}: unknown key; the search here is {type(bundled).__name__}, which takes"
            f" {', '.join(settings)}; choose decoding=greedy, beam or sample for another"
        )
    kept = {name: value for name, value in settings.items() if name not in decoding.settings}
    search: Search = decoding.build_as(type(bundled), **kept)
    return search
