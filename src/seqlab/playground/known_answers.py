"""Tasks whose right answer can be computed from any source, not only for those of a dataset."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from seqlab.data.dates import iso_of
from seqlab.data.numbers import LARGEST, WORDS
from seqlab.errors import InputError
from seqlab.text.plain_json import read_regular

KnownAnswer = Callable[[str], str | None]
"""From a source to its right answer; None if it is no source of the task."""

TRAINED_ON = re.compile(r"^Trained by seqlab on (.+)\. To use it", re.MULTILINE)
"""What a model card says of the data."""
CARD = 100_000
"""Bytes of a model card that are read."""


def data_of(bundle: Path) -> str:
    """The description of the data that a bundle's model card names; "" if it names none."""
    try:
        found = TRAINED_ON.search(read_regular(bundle / "README.md", CARD).decode(errors="replace"))
    except InputError:
        return ""
    return found[1] if found else ""


def known_answer(data: str) -> KnownAnswer | None:
    """How the right answer is computed for data of this description; None if it cannot be."""
    if data.startswith("reversal of "):
        return _reversed
    if data.startswith("dates of "):
        return lambda source: iso_of(source.strip())
    if found := re.fullmatch(r"numbers 1 to [\d,]+ to words \(([a-z]+(?:, [a-z]+)*)\)", data):
        languages = found[1].split(", ")
        return lambda source: _in_words(source, languages)
    return None


def _reversed(source: str) -> str | None:
    return " ".join(reversed(source.replace(",", " ").split())) or None


def _in_words(source: str, languages: list[str]) -> str | None:
    """The words of `fr 91`, or of `91` if there is only one language."""
    named = r"([a-z]{2}) ([0-9]{1,6})" if len(languages) > 1 else r"()([0-9]{1,6})"
    found = re.fullmatch(named, source.strip())
    if found is None or not 1 <= int(found[2]) <= LARGEST:
        return None
    language = found[1] or languages[0]
    return WORDS[language](int(found[2])) if language in languages and language in WORDS else None
