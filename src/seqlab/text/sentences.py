"""Sentences of a text, found line by line in a bounded part of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LONGEST = 1 << 16
"""Characters of a paragraph; a longer one is cut at the end of a line."""

_FENCE = re.compile(r"\s*(?:```|~~~)")
_ALONE = re.compile(r"\s*(?:#{1,6}\s|\|)")  # headings and rows of tables
_BEGINS = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s")  # items of lists
_LETTER = re.compile(r"[^\W\d_]")


def sentences(lines: Iterable[str], language: str = "en") -> Iterator[tuple[int, str]]:
    """The sentences of a text with the place, in characters, where each begins; white space in them is single spaces.

    A sentence may go on over line ends, but not over a blank line, into a heading, a row of a table or the next item
    of a list. Lines of code between fences stand for themselves. What has no letter ("1.") belongs to what follows.

    Args:
        lines: the text, line ends included.
        language: its code in ISO 639-1, for abbreviations and quotation marks.
    """
    from sentencex import segment

    for start, text, whole in _paragraphs(lines):
        if whole:
            yield start, text.rstrip()
            continue
        begun = ""
        for part in segment(language, text):
            begun += part
            if _LETTER.search(part):
                yield start, " ".join(begun.split())
                start, begun = start + len(begun), ""
        if rest := " ".join(begun.split()):
            yield start, rest


def _paragraphs(lines: Iterable[str]) -> Iterator[tuple[int, str, bool]]:
    """Parts that no sentence goes beyond: where each begins, its text, and whether it is a line of code."""
    held: list[str] = []
    place = size = 0  # of the end of what is held, and its length
    fenced = False
    for line in lines:
        fence = bool(_FENCE.match(line))
        alone = fence or fenced or not line.strip() or bool(_ALONE.match(line))
        if held and (alone or _BEGINS.match(line) or size + len(line) > LONGEST):
            yield place - size, "".join(held), False
            held, size = [], 0
        if not alone:
            held.append(line)
            size += len(line)
        elif line.strip():
            yield place, line, fence or fenced
        fenced ^= fence
        place += len(line)
    if held:
        yield place - size, "".join(held), False
