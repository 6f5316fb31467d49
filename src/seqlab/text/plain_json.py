"""Reads untrusted JSON files: bounded in size and depth, and without anything that JSON parsers treat differently."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from seqlab.errors import InputError

LONGEST = 64 << 20  # bytes
DEEPEST = 32
LARGEST = 2**63


def read_json(path: Path, kind: type, longest: int = LONGEST) -> Any:
    """The content of a JSON file whose top level is a `kind` (dict or list).

    Raises:
        InputError: the file is missing, not a regular file, too long, or not strict JSON: it has a duplicate key, NaN
            or infinity, an integer of more than 63 bits, invalid Unicode, or more than `DEEPEST` levels.
    """
    data = read_regular(path, longest + 1)
    if len(data) > longest:
        raise InputError(f"{path}: more than {longest:,} bytes")
    try:
        return parsed(data, kind)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def read_regular(path: Path, count: int) -> bytes:
    """The first `count` bytes of a regular file; links are followed.

    Raises:
        InputError: there is none. A device or a pipe is not even opened, because it may never end.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path}: not a regular file")
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def parsed(data: bytes, kind: type) -> Any:
    """JSON read from bytes, as `read_json` does.

    Raises:
        ValueError: it is not strict JSON, or its top level is not a `kind`.
    """
    try:
        content = json.loads(
            data.decode(), object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_float
        )
    except RecursionError:
        raise ValueError(f"JSON of more than {DEEPEST} levels") from None
    except ValueError as error:
        raise ValueError(f"not JSON ({error})") from None
    if not isinstance(content, kind):
        raise ValueError(f"expected a JSON {kind.__name__}, but found a {type(content).__name__}")
    _check(content)
    return content


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        for name, _ in pairs:
            if content.pop(name, pairs) is pairs:
                raise ValueError(f"the key {name[:80]!r} appears twice")
    return content


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a valid number")


def _integer(text: str) -> int:
    if len(text) > 20 or not -LARGEST <= int(text) < LARGEST:
        raise ValueError(f"the integer {text[:20]}… has more than 63 bits")
    return int(text)


def _float(text: str) -> float:
    if abs(number := float(text)) == float("inf"):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _check(content: Any) -> None:
    """Refuses too deep nesting, and halves of surrogate pairs, which cannot be written to a file."""
    level = [content]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, str):
                one.encode()
            elif isinstance(one, dict):
                inner += [*one, *one.values()]
            elif isinstance(one, list):
                inner += one
        if not inner:
            return
        level = inner
    raise ValueError(f"JSON of more than {DEEPEST} levels")
