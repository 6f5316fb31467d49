"""Reads notes that Anki exported as a text file: lines such as `#separator:tab`, then rows of quoted fields.

https://docs.ankiweb.net/importing/text-files.html
"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator, Sequence

from seqlab.errors import InputError

_HEADER = re.compile(
    r"#(separator|html|(?:columns|tags|notetype|deck|guid|if matches)(?: column)?):(.*)", re.IGNORECASE
)
_SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "colon": ":", "space": " "}
_BREAK = re.compile(r"<(?:br|/?div|/?p)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>|\[sound:[^\[\]]*\]")


def is_export(lines: Sequence[str]) -> bool:
    """Whether the first line is a header of an Anki export."""
    return bool(lines) and _HEADER.match(lines[0]) is not None


def exported(lines: Sequence[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """The fields of each note with the number of its last line; columns for Anki itself (deck, tags, …) are dropped.

    If the header says that fields are HTML, they become plain text.

    Raises:
        InputError: an unknown separator, or quotes that do not end; the message names the line.
    """
    settings: dict[str, str] = {}
    count = 0
    for line in lines:
        if not (header := _HEADER.match(line)):
            break
        settings[header[1].lower()] = header[2]
        count += 1
    separator = settings.get("separator", "tab")
    separator = _SEPARATORS.get(separator.strip().lower(), separator)
    if len(separator) != 1:
        raise InputError(f"{name}: #separator must be one of {', '.join(_SEPARATORS)}, but is {separator!r}")
    numbers = [value.strip() for key, value in settings.items() if key.endswith(" column")]
    metadata = {int(value) for value in numbers if value.isdecimal()}
    plain = _text if settings.get("html", "").strip().lower() == "true" else str
    rows = csv.reader((f"{line}\n" for line in lines[count:]), delimiter=separator, strict=True)
    try:
        for row in rows:
            if row:
                yield count + rows.line_num, [plain(field) for i, field in enumerate(row, 1) if i not in metadata]
    except csv.Error as error:
        raise InputError(f"{name}:{count + rows.line_num}: not as Anki exports notes ({error})") from None


def _text(field: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", _BREAK.sub(" ", field))).split())
