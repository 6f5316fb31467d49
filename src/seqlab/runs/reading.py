"""Files of run folders that somebody else may have written: read with limits, and held against one schema.

A schema is a function that takes a value and raises `UnfitError` if it is not of that kind; schemas are combined from
smaller ones. What has passed needs no further checks: keys that a schema does not require may be missing, and nothing
else is left open.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.messages import printable
from seqlab.errors import InputError
from seqlab.text import plain_json

MOST_BYTES = 1 << 28
"""Of a file that is read whole."""

GREATEST = 1e150
"""Numbers are within ± this, so that their squares are finite."""

Schema = Callable[[Any], None]


class UnfitError(Exception):
    """A value is not of the kind that is expected; `place` says where it is, innermost key first."""

    def __init__(self, expected: str, value: Any) -> None:
        super().__init__(expected)
        self.expected, self.value = expected, value
        self.place: list[str] = []

    def __str__(self) -> str:
        where = ".".join(reversed(self.place))
        found = json.dumps(self.value, default=str)
        found = found if len(found) <= 40 else f"{found[:37]}…"
        return f"{where + ': ' if where else ''}expected {self.expected}, but found {found}"


# Reading -------------------------------------------------------------------------------------------------------


def read_file(path: Path) -> bytes:
    """The bytes of an ordinary file of reasonable size.

    Raises:
        InputError: it is something else (a folder, a pipe), too large, or cannot be read.
    """
    data = plain_json.read_regular(path, MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputError(f"{path}: more than {MOST_BYTES:,} bytes")
    return data


def read_json(path: Path, schema: Schema) -> Any:
    """A JSON file of a schema, read as `plain_json.read_json` does; numbers are within ± `GREATEST`.

    Raises:
        InputError: it is no such file; names the file and, where it is JSON, the key.
    """
    try:
        content = plain_json.read_json(path, object, MOST_BYTES)
        moderate(content)
        schema(content)
    except UnfitError as problem:
        raise InputError(printable(f"{path}: {problem}")) from None
    except InputError as problem:
        raise InputError(printable(str(problem))) from None
    return content


def _at(key: str, kind: Callable[[Any], Any], value: Any) -> Any:
    try:
        return kind(value)
    except UnfitError as problem:
        problem.place.append(str(key))
        raise


# Kinds ---------------------------------------------------------------------------------------------------------


def anything(value: Any) -> None:
    """Any JSON."""


def moderate(value: Any) -> None:
    """Any JSON whose numbers can be squared."""
    if isinstance(value, dict):
        mapping_of(moderate)(value)
    elif isinstance(value, list):
        list_of(moderate)(value)
    elif isinstance(value, int | float) and abs(value) > GREATEST:
        raise UnfitError(f"a number within ±{GREATEST:g}", value)


def text(value: Any) -> None:
    """A string."""
    if not isinstance(value, str):
        raise UnfitError("text", value)


def number(value: Any) -> None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UnfitError("a number", value)


def whole(value: Any) -> None:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnfitError("a whole number", value)


def truth(value: Any) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise UnfitError("true or false", value)


def scalar(value: Any) -> None:
    """Text, a number, true, false or null."""
    if isinstance(value, dict | list):
        raise UnfitError("a single value", value)


def optional(kind: Schema) -> Schema:
    """That kind, or null."""
    return lambda value: None if value is None else kind(value)


def list_of(kind: Schema) -> Schema:
    """A list of that kind."""

    def check(value: Any) -> None:
        if not isinstance(value, list):
            raise UnfitError("a list", value)
        for i, one in enumerate(value):
            _at(str(i), kind, one)

    return check


def pair(value: Any) -> None:
    """A list of two: what was before, and after."""
    list_of(anything)(value)
    if len(value) != 2:
        raise UnfitError("a list of two", value)


def mapping_of(kind: Schema) -> Schema:
    """A mapping to values of that kind."""

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise UnfitError("a mapping", value)
        for key, one in value.items():
            _at(key, kind, one)

    return check


def record(required: Mapping[str, Schema], others: Mapping[str, Schema] | None = None) -> Schema:
    """A mapping with these keys and, perhaps, the others; more are allowed."""

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise UnfitError("a mapping", value)
        for key, kind in required.items():
            if key not in value:
                raise UnfitError(f"'{key}' in it", sorted(value)[:3])
            _at(key, kind, value[key])
        for key, kind in (others or {}).items():
            if key in value:
                _at(key, kind, value[key])

    return check


def some(kind: Schema) -> Schema:
    """That kind, not empty."""

    def check(value: Any) -> None:
        kind(value)
        if not value:
            raise UnfitError("something in it", value)

    return check


# What runs leave -----------------------------------------------------------------------------------------------

FIGURES = mapping_of(optional(number))
SIDE = record(
    {},
    {
        "copies": optional(number),
        "ngrams": optional(FIGURES),
        "nearest": optional(record({}, {"near_copies": optional(number)})),
    },
)
FACTS: dict[str, Schema] = {
    "environment": mapping_of(scalar),
    "data": text,
    "examples": FIGURES,
    "parameters": number,
    "trained_parameters": number,
    "epochs": number,
    "steps": number,
    "weights": text,
    "seconds": FIGURES,
    "training": FIGURES,
    "signatures": mapping_of(text),
    "leakage": mapping_of(mapping_of(SIDE)),
    "settings": mapping_of(anything),
    "identity": record({}, {"data": mapping_of(anything), "model": mapping_of(anything)}),
    "resumed": list_of(record({}, {"step": whole, "changed": mapping_of(pair)})),
}
METRICS = some(mapping_of(FIGURES))
RESULT = record({"name": text, "seed": whole, "metrics": METRICS}, FACTS)
"""`result.json`."""

ROW = record(
    {"from": whole, "to": whole, "count": whole},
    {"exact_match": number, "token_accuracy": number, "bleu": number, "chrf": number},
)
SAMPLE = record(
    {"source": text, "prediction": text, "reference": text},
    {
        "match": truth,
        "class": text,
        "continued": truth,
        "source_tokens": list_of(text),
        "output_tokens": list_of(text),
        "attention": mapping_of(list_of(list_of(number))),
    },
)
DIGEST = record(
    {"name": text, "seed": whole, "metrics": METRICS, "command": text},
    {
        **FACTS,
        "folder": text,
        "overrides": mapping_of(text),
        "curve": list_of(FIGURES),
        "test_set": text,
        "by_length": record({"rows": list_of(ROW), "split": text}),
        "failures": record({"rule": whole, "counts": mapping_of(whole)}),
        "correct": list_of(whole),
        "bleu_statistics": list_of(list_of(whole)),
        "samples": list_of(SAMPLE),
    },
)
"""What `digests.digest` makes of a run."""

GROUP = record({"label": text, "command": text, "runs": list_of(DIGEST)}, {"title": optional(text)})
CRITERION = record(
    {"text": text, "expected": text, "measured": text, "holds": optional(truth)}, {"why": optional(text)}
)
TEST = record(
    {"a": text, "b": text, "metric": text, "difference": number, "p": optional(number), "samples": number},
    {"interval": list_of(number)},
)
REFERENCE = record(
    {
        "claim": text,
        "profile": text,
        "verdict": text,
        "criteria": list_of(CRITERION),
        "groups": list_of(GROUP),
    },
    {
        **dict.fromkeys(("title", "text", "source"), text),
        **dict.fromkeys(("part_of", "why", "partial"), optional(text)),
        "published": list_of(text),
        "significance": list_of(TEST),
        "seconds": number,
        "machine": optional(mapping_of(scalar)),
    },
)
"""A claim's committed result."""


def by_step(value: Any) -> None:
    """A number a step."""
    mapping_of(number)(value)
    for key in value:
        if not key.isascii() or not key.isdecimal():
            raise UnfitError("steps", key)


TRIAL = record(
    {
        "number": whole,
        "state": text,
        "value": optional(number),
        "steps": whole,
        "parameters": mapping_of(anything),
        "reported": by_step,
        "baseline": truth,
    }
)
SWEEP = record(
    {
        "study": text,
        "command": text,
        "direction": text,
        "rungs": list_of(whole),
        "best": optional(whole),
        "parameters": list_of(text),
        "importance": mapping_of(number),
        "trials": list_of(TRIAL),
    },
    {"commit": optional(text)},
)
"""What `page.sweeps.digest_sweep` makes of a search."""

SEARCH = record({"best": mapping_of(list_of(number)), "reached": list_of(optional(number))})
_REPLAY = record(
    {
        "axes": mapping_of(list_of(scalar)),
        "best": number,
        "rank_correlation": FIGURES,
        "seeds": some(list_of(whole)),
        "spent": some(list_of(number)),
        "searches": some(mapping_of(SEARCH)),
        **dict.fromkeys(("epochs", "patience", "trials"), number),
    }
)


def replay(value: Any) -> None:
    """Ways of searching on recorded curves: of as many seeds everywhere, two or more."""
    _REPLAY(value)
    count = len(value["seeds"])
    if count < 2 or min(value["spent"]) <= 0 or None in value["rank_correlation"].values():
        raise UnfitError("figures of two or more seeds", value["spent"])
    for name, search in value["searches"].items():
        if {len(value["spent"]), len(search["reached"]), *map(len, search["best"].values())} != {count}:
            raise UnfitError(f"{count} seeds in “{name}”", search["reached"])
