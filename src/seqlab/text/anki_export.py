"""Reads notes that Anki exported as a text file: lines such as `#separator:tab`, then rows of quoted fields.

https://docs.ankiweb.net/importing/text-files.html
"""

from __future__ import annotations

import csv
import html
import itertools
import re
from collections.abc import Iterable, Iterator

from seqlab.errors import InputError

_HEADER = re.compile(
    r"#(separator|html|(?:columns|tags|notetype|deck|guid|if matches)(?: column)?):(.*)", re.IGNORECASE
)
_SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "colon": ":", "space": " "}
_BREAK = re.compile(r"<(?:br|/?div|/?p)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>|\[sound:[^\[\]]*\]")


def is_export(first: str) -> bool:
    """Whether the first line of a file is a header of an Anki export."""
    return _HEADER.match(first) is not None


def exported(lines: Iterable[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """The fields of each note with the number of its last line; columns for Anki itself (deck, tags, …) are dropped.

    If the header says that fields are HTML, they become plain text.

    Raises:
        InputError: an unknown separator, or quotes that do not end; the message names the line.
    """
    lines = iter(lines)
    settings, count, first = _header(lines)
    separator = _separator(settings, name)
    metadata = _metadata(settings)
    plain = _text if settings.get("html", "").strip().lower() == "true" else str
    rows = csv.reader((f"{line}\n" for line in itertools.chain(first, lines)), delimiter=separator, strict=True)
    try:
        for row in rows:
            if row:
                yield count + rows.line_num, [plain(field) for i, field in enumerate(row, 1) if i not in metadata]
    except csv.Error as error:
        raise InputError(f"{name}:{count + rows.line_num}: not as Anki exports notes ({error})") from None


def column_names(lines: Iterable[str], name: str) -> list[str] | None:
    """The names of the fields that `exported` gives, if the header has them.

    Raises:
        InputError: an unknown separator.
    """
    settings, *_ = _header(lines)
    if (names := settings.get("columns")) is None:
        return None
    metadata = _metadata(settings)
    return [field.strip() for i, field in enumerate(names.split(_separator(settings, name)), 1) if i not in metadata]


def _header(lines: Iterable[str]) -> tuple[dict[str, str], int, list[str]]:
    """The settings in the header, its number of lines, and the line after it, if there is one."""
    found: dict[str, str] = {}
    for count, line in enumerate(lines):
        if (header := _HEADER.match(line)) is None:
            return found, count, [line]
        found[header[1].lower()] = header[2]
    return found, count + 1, []


def _separator(settings: dict[str, str], name: str) -> str:
    separator = settings.get("separator", "tab")
    separator = _SEPARATORS.get(separator.strip().lower(), separator)
    if len(separator) != 1:
        raise InputError(f"{name}: #separator must be one of {', '.join(_SEPARATORS)}, but is {separator!r}")
    return separator


def _metadata(settings: dict[str, str]) -> set[int]:
    """The numbers, from 1, of the columns for Anki itself."""
    numbers = [value.strip() for key, value in settings.items() if key.endswith(" column")]
    return {int(value) for value in numbers if value.isdecimal()}


def _text(field: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", _BREAK.sub(" ", field))).split())
