"""JSON files that somebody else may have written: read with limits, and checked against a schema.

A schema is a function that takes a value and raises `UnfitError` if the value is of another kind. Small schemas are
combined into larger ones. Code that works with checked content needs no further checks: only the keys that a schema
does not require may be missing.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from hydra_pruning_sweeper.messages import printable
from seqlab.errors import InputError
from seqlab.text import plain_json

MOST_BYTES = 1 << 28
"""The largest file that is read whole."""

GREATEST = 1e150
"""Numbers must lie within ± this, so that their squares are finite."""

Schema = Callable[[Any], None]
T = TypeVar("T")


class UnfitError(Exception):
    """A value does not fit its schema; `keys` lead to the value, innermost first."""

    def __init__(self, expected: str, value: Any) -> None:
        super().__init__(expected)
        self.expected, self.value = expected, value
        self.keys: list[str] = []

    def __str__(self) -> str:
        path = ".".join(reversed(self.keys))
        value = json.dumps(self.value, default=str)
        value = value if len(value) <= 40 else f"{value[:37]}…"
        return f"{path + ': ' if path else ''}expected {self.expected}, but found {value}"


# Reading -------------------------------------------------------------------------------------------------------


def read_file(path: Path) -> bytes:
    """The bytes of a regular file.

    Raises:
        InputError: it is something else (a folder, a pipe), larger than `MOST_BYTES`, or cannot be read.
    """
    data = plain_json.read_regular(path, MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputError(f"{path}: more than {MOST_BYTES:,} bytes")
    return data


def read_json(path: Path, schema: Schema) -> Any:
    """The content of a JSON file that fits a schema, read as strictly as `plain_json.read_json` reads.

    Raises:
        InputError: the content does not fit, or a number exceeds `GREATEST`; names the file and the key.
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


def _check_at(key: str, schema: Schema, value: Any) -> None:
    try:
        schema(value)
    except UnfitError as problem:
        problem.keys.append(str(key))
        raise


# Schemas -------------------------------------------------------------------------------------------------------


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


def optional(schema: Schema) -> Schema:
    """What fits `schema`, or null."""
    return lambda value: None if value is None else schema(value)


def list_of(schema: Schema) -> Schema:
    """A list whose entries fit `schema`."""

    def check(value: Any) -> None:
        if not isinstance(value, list):
            raise UnfitError("a list", value)
        for i, one in enumerate(value):
            _check_at(str(i), schema, one)

    return check


def pair(value: Any) -> None:
    """A list of two: the value before a change and the one after it."""
    list_of(anything)(value)
    if len(value) != 2:
        raise UnfitError("a list of two", value)


def mapping_of(schema: Schema) -> Schema:
    """A mapping whose values fit `schema`."""

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise UnfitError("a mapping", value)
        for key, one in value.items():
            _check_at(key, schema, one)

    return check


def record(required: Mapping[str, Schema], others: Mapping[str, Schema] | None = None) -> Schema:
    """A mapping that has the required keys, and perhaps the others; keys that neither names are allowed."""

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise UnfitError("a mapping", value)
        for key, schema in required.items():
            if key not in value:
                raise UnfitError(f"'{key}' in it", sorted(value)[:3])
            _check_at(key, schema, value[key])
        for key, schema in (others or {}).items():
            if key in value:
                _check_at(key, schema, value[key])

    return check


def some(schema: Schema) -> Schema:
    """What fits `schema` and is not empty."""

    def check(value: Any) -> None:
        schema(value)
        if not value:
            raise UnfitError("something in it", value)

    return check


# Dataclasses ---------------------------------------------------------------------------------------------------

OF_TYPES: dict[Any, Schema] = {str: text, int: whole, float: number, bool: truth, Any: anything}


def fields_of(kind: type) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """The schemas of a dataclass's fields: of those without a default, which a file must have, and of the others.

    A field may be annotated with a simple type, a mapping, a sequence or another such dataclass. `Annotated[T, schema]`
    gives a schema of its own. A field that may be None is absent from the file if it is None, not null.
    """
    hints = get_type_hints(kind, include_extras=True)
    required: dict[str, Schema] = {}
    others: dict[str, Schema] = {}
    for one in dataclasses.fields(kind):
        defaults = (one.default, one.default_factory)
        if defaults == (dataclasses.MISSING, dataclasses.MISSING):
            required[one.name] = _schema_of(hints[one.name])
        else:
            others[one.name] = _schema_of(_without_none(hints[one.name]))
    return required, others


def _schema_of(hint: Any) -> Schema:
    """The schema of an annotation."""
    if hint in OF_TYPES:
        return OF_TYPES[hint]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return record(*fields_of(hint))
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        return arguments[1]
    if NoneType in arguments:
        return optional(_schema_of(_without_none(hint)))
    if get_origin(hint) is Mapping:
        return mapping_of(_schema_of(arguments[1]))
    if get_origin(hint) is Sequence:
        return list_of(_schema_of(arguments[0]))
    raise TypeError(f"no schema for {hint}")


def _without_none(hint: Any) -> Any:
    """`T` of `T | None`; other annotations as they are."""
    others = [one for one in get_args(hint) if one is not NoneType]
    return others[0] if NoneType in get_args(hint) and len(others) == 1 else hint


def from_json(kind: type[T], content: Mapping[str, Any]) -> T:
    """A dataclass from checked content; keys that are no fields are ignored."""
    hints = get_type_hints(kind)
    values = {name: content[name] for name in hints if name in content}
    for name, value in values.items():
        if isinstance(hint := hints[name], type) and dataclasses.is_dataclass(hint):
            values[name] = from_json(hint, value)
    return kind(**values)


def to_json(record: Any) -> dict[str, Any]:
    """A dataclass as the content of a file, in the order of its fields, without those that are None."""
    values = {one.name: getattr(record, one.name) for one in dataclasses.fields(record)}
    return {
        name: to_json(value) if dataclasses.is_dataclass(value) else value
        for name, value in values.items()
        if value is not None
    }
