"""The steps of cleaning: each filters lines or paragraphs and counts what it drops.

Lines and paragraphs include their line ends, so joined they are the text. A filter keeps only a bounded part of a
document in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

LONGEST_HEAD = 300  # lines; front matter is looked for only in these
LONGEST_FENCE = 10_000  # lines; a longer block is taken for text after a stray fence
LONGEST_PARAGRAPH = 1 << 16  # characters; a longer paragraph is cut at a line end


@dataclass
class Tally:
    """How often each step dropped something, and how many characters."""

    times: dict[str, int] = field(default_factory=dict)
    characters: dict[str, int] = field(default_factory=dict)

    def add(self, step: str, characters: int, times: int = 1) -> None:
        """Adds what a step dropped."""
        self.times[step] = self.times.get(step, 0) + times
        self.characters[step] = self.characters.get(step, 0) + characters


_KEY = re.compile(r"""["'\w][^:=]*[:=]""")
_BOOK_BEGINS = re.compile(r"\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG EBOOK", re.IGNORECASE)
_BOOK_ENDS = re.compile(r"\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG EBOOK", re.IGNORECASE)


def without_front_matter(lines: Iterable[str], tally: Tally) -> Iterator[str]:
    """Drops a YAML or TOML block at the very beginning, and Project Gutenberg's header and licence."""
    lines = iter(lines)
    head = list(islice(lines, LONGEST_HEAD))
    start = _front_matter(head)
    if start:
        tally.add("pieces of front matter", sum(map(len, head[:start])))
    is_book = any(_BOOK_BEGINS.search(line) for line in head[:start])
    dropped = 0
    for line in chain(head[start:], lines):
        if dropped or (is_book and _BOOK_ENDS.search(line)):
            dropped += len(line)
        else:
            yield line
    if dropped:
        tally.add("pieces of front matter", dropped)


def _front_matter(head: list[str]) -> int:
    """How many of the first lines are front matter."""
    fence = head[0].strip() if head else ""
    if fence in ("---", "+++") and len(head) > 1 and _KEY.match(head[1]):
        ends = (fence, "...") if fence == "---" else (fence,)
        return next((i for i, line in enumerate(head[1:], 2) if line.strip() in ends), 0)
    return next((i for i, line in enumerate(head, 1) if _BOOK_BEGINS.search(line)), 0)


_FENCE = re.compile(r"[\s>]*(`{3,}(?=[^`]*$)|~{3,})")


def without_fences(lines: Iterable[str], tally: Tally) -> Iterator[str]:
    """Drops fenced code (CommonMark 0.31, section 4.5); a fence that is never closed is left in."""
    block: list[str] = []
    fence = ""
    for line in lines:
        match = _FENCE.match(line)
        if not block:
            if match:
                block, fence = [line], match[1]
            else:
                yield line
            continue
        block.append(line)
        if match and match[1].startswith(fence) and line.strip(" \t\r\n>").strip(fence[0]) == "":
            tally.add("code fences", sum(map(len, block)))
            block = []
        elif len(block) > LONGEST_FENCE:
            yield from block
            block = []
    yield from block


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Joins lines to paragraphs, each with the blank lines after it."""
    held: list[str] = []
    size, ended = 0, False
    for line in lines:
        blank = not line.strip()
        if held and ((ended and not blank) or size + len(line) > LONGEST_PARAGRAPH):
            yield "".join(held)
            held, size = [], 0
        held.append(line)
        size += len(line)
        ended = blank
    if held:
        yield "".join(held)


def tidied(lines: Iterable[str]) -> Iterator[str]:
    """At most one blank line in a row, and none at the beginning."""
    blank = True
    for line in lines:
        if line.strip() or not blank:
            yield line
        blank = not line.strip()


_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # str.splitlines would split at U+2028, too
_ROLE = r":[a-z_]+:(?:`[^`]*`|[\w.-]+(?<![.-]))?"
_MARKUP = (
    (re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)?(?:\s+\"[^\"]*\")?\)"), r"\1"),
    # A role is removed together with the space before it, and with the brackets if they would be empty.
    (re.compile(rf"\s?(?<![\w:])\((?:{_ROLE}[\s,;]*)+\)"), ""),
    (re.compile(rf"\s?(?<![\w:]){_ROLE}(?![\w:])"), ""),
)


def _without_comments(text: str) -> tuple[str, int]:
    """`text` without HTML comments, and how many there were.

    No regular expression, which would search to the end of the text from every unclosed comment: quadratic time.
    """
    kept: list[str] = []
    position = 0
    while (start := text.find("<!--", position)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        kept.append(text[position:start])
        position = end + 3
    return "".join(kept) + text[position:], len(kept)


def without_markup(paragraphs: Iterable[str], tally: Tally) -> Iterator[str]:
    """Drops HTML comments, targets of links and images, and roles of reStructuredText (:numref:`sec_x`)."""
    for paragraph in paragraphs:
        text, times = _without_comments(paragraph)
        for pattern, replacement in _MARKUP:
            text, count = pattern.subn(replacement, text)
            times += count
        if not times:
            yield paragraph
            continue
        text = "".join(line for line in _LINE.findall(text) if line.strip())
        text += paragraph[len(paragraph.rstrip()) :].partition("\n")[2] if text else ""
        tally.add("pieces of markup", len(paragraph) - len(text), times)
        if text:
            yield text
