"""What the page asks for, checked: nothing of it reaches a model before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqlab.arguments import check_arguments
from seqlab.decoding import Beam, Greedy, Sample, Search
from seqlab.errors import InputError

SEARCHES = {
    "greedy": (Greedy, ()),
    "sample": (Sample, ("temperature", "top_k", "top_p", "seed")),
    "beam": (Beam, ("size", "length_penalty")),
}
"""By name: the search, and which of its settings the page may choose."""

LONGEST_BODY = 100_000
"""Bytes of a request."""
LONGEST_TEXT = 10_000
"""Characters of a source."""
LONGEST_OUTPUT = 200
"""Tokens."""
WIDEST_BEAM = 12


@dataclass(frozen=True)
class PlayRequest:
    """One source for several models.

    Args:
        source: the source, or the text to continue.
        forced: for each model, token ids that its output begins with.
        search: name of the search.
        settings: of the search.
    """

    source: str
    forced: Mapping[str, Sequence[int]]
    search: str
    settings: Mapping[str, Any]

    def search_of(self, max_length: int) -> Search:
        """The search, whose outputs have at most `max_length` tokens.

        Raises:
            InputError: a setting that it does not take.
        """
        kind, _ = SEARCHES[self.search]
        checked = check_arguments(kind, {**self.settings, "max_length": max_length}, "decoding")
        try:
            return kind(**checked)
        except ValueError as error:
            raise InputError(f"decoding: {error}") from None


@dataclass(frozen=True)
class LookRequest:
    """Where a language model looked when it wrote a token.

    Args:
        written: ids of tokens that follow the text `source`.
        step: how many tokens there are before the one that it wrote, without the first.
    """

    model: str
    source: str
    written: Sequence[int]
    step: int


@dataclass(frozen=True)
class SeenRequest:
    """What of a text appears in the training data of some models."""

    models: Sequence[str]
    source: str


def read_request(body: bytes) -> PlayRequest:
    """The request in the body of a POST, which may hold anything.

    Raises:
        InputError: it is no such request, or beyond a limit.
    """
    source, forced, search, settings = _fields(body, "source", "forced", "search", "settings")
    _check_text(source)
    if not isinstance(forced, dict) or not forced or not all(map(_is_ids, forced.values())):
        raise InputError("forced must have a list of token ids for each model")
    if not isinstance(search, str) or search not in SEARCHES:
        raise InputError(f"search must be one of {', '.join(SEARCHES)}")
    known = SEARCHES[search][1]
    if not isinstance(settings, dict) or not settings.keys() <= set(known):
        raise InputError(f"settings of {search} are {', '.join(known) or 'none'}")
    size = settings.get("size", 1)
    if isinstance(size, int) and size > WIDEST_BEAM:
        raise InputError(f"a beam may have {WIDEST_BEAM} hypotheses here, but size is {size}")
    return PlayRequest(source, forced, search, settings)


def read_look(body: bytes) -> LookRequest:
    """The same for a request of where a language model looked."""
    model, source, written, step = _fields(body, "model", "source", "written", "step")
    _check_text(source)
    if not isinstance(model, str):
        raise InputError("model must be a name")
    if not _is_ids(written) or len(written) > LONGEST_OUTPUT:
        raise InputError(f"written must be a list of at most {LONGEST_OUTPUT} token ids")
    if type(step) is not int or step < 0:
        raise InputError("step must be a number")
    return LookRequest(model, source, written, step)


def read_seen(body: bytes) -> SeenRequest:
    """The same for a request of what appears in training."""
    models, source = _fields(body, "models", "source")
    _check_text(source)
    if not isinstance(models, list) or not models or not all(isinstance(one, str) for one in models):
        raise InputError("models must be a list of names")
    return SeenRequest(list(dict.fromkeys(models)), source)


def _fields(body: bytes, *names: str) -> list[Any]:
    """The values of a JSON object that has these names, and no others."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise InputError("the request is not JSON") from None
    if not isinstance(content, dict) or content.keys() != set(names):
        raise InputError(f"the request must be an object with {', '.join(names[:-1])} and {names[-1]}")
    return [content[name] for name in names]


def _check_text(source: Any) -> None:
    if not isinstance(source, str):
        raise InputError("source must be a text")
    if not source.isascii() and any("\ud800" <= one <= "\udfff" for one in source):
        raise InputError("source is not valid Unicode text")
    if len(source) > LONGEST_TEXT:
        raise InputError(f"a text may have {LONGEST_TEXT:,} characters here, but this one has {len(source):,}")


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int for one in value)
