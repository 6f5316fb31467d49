"""Splits a text into sentences, line by line, with a bounded part of it in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LONGEST = 1 << 16
"""Maximal length of a paragraph in characters; a longer one is cut at a line end."""

_FENCE = re.compile(r"\s*(?:```|~~~)")
_ALONE = re.compile(r"\s*(?:#{1,6}\s|\|)")  # headings and rows of tables
_BEGINS = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s")  # items of lists
_LETTER = re.compile(r"[^\W\d_]")


def sentences(lines: Iterable[str], language: str = "en") -> Iterator[tuple[int, str]]:
    """The sentences of a text, each with the offset in characters where it begins; white space becomes single spaces.

    A sentence may span several lines, but no blank line, heading, table row or list item. Lines of fenced code are not
    split. A part without letters ("1.") belongs to the sentence after it.

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
    """Parts that no sentence crosses: where each begins, its text, and whether it is a line of code."""
    held: list[str] = []
    position = size = 0  # where the held lines end, and their length
    fenced = False
    for line in lines:
        fence = bool(_FENCE.match(line))
        alone = fence or fenced or not line.strip() or bool(_ALONE.match(line))
        if held and (alone or _BEGINS.match(line) or size + len(line) > LONGEST):
            yield position - size, "".join(held), False
            held, size = [], 0
        if not alone:
            held.append(line)
            size += len(line)
        elif line.strip():
            yield position, line, fence or fenced
        fenced ^= fence
        position += len(line)
    if held:
        yield position - size, "".join(held), False
