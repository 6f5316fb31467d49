"""Regular expressions that may come from an untrusted file: they are matched in bounded time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import regex

LONGEST = 500  # characters of a pattern
REPEATS = 1000
"""Limit on the product of all counts {n} in a pattern: nested groups multiply their counts."""
SECONDS = 10.0
"""Time limit for all matches in one text."""

_COUNT = regex.compile(r"\{(\d*),?(\d*)\}")
_GROUP = regex.compile(r"\(\?(?!:|=|!|<=|<!|>)")
_OTHER = regex.compile(r"(?<!\\[pPxN])\{(?!\d*,?\d*\})|\\g<|\\K|\\L")
_ESCAPED = regex.compile(r"\\[^pPxNgKL]")


def finder(pattern: str, known: bool = False) -> Callable[[str], Iterator[Any]]:
    """A function that yields all matches of `pattern` in a text, within `SECONDS`.

    A pattern that is `known` to be fast is matched without a time limit, because checking the time doubles the cost.

    The time limit is checked only while matching. Patterns that could take unbounded time or memory before that are
    refused: long patterns, large or nested repeat counts, recursive groups, approximate matching.

    Raises:
        ValueError: not a regular expression, or one that is refused; while matching, a text that takes more than
            `SECONDS`.
    """
    if known:
        return regex.compile(pattern).finditer
    reason = _reason(pattern)
    if reason is None:
        try:
            compiled = regex.compile(pattern)
        except (regex.error, RecursionError, OverflowError, MemoryError) as error:
            reason = str(error) or type(error).__name__
    if reason is not None:
        shown = pattern if len(pattern) <= 80 else f"{pattern[:80]}…"
        raise ValueError(f"pattern must be a regular expression, but is {shown!r}: {reason}") from None

    def matches(text: str) -> Iterator[Any]:
        try:
            yield from compiled.finditer(text, timeout=SECONDS)
        except TimeoutError:
            raise ValueError(
                f"the pattern {pattern!r} takes more than {SECONDS:.0f} s for a text of {len(text):,} characters"
            ) from None

    return matches


def _reason(pattern: str) -> str | None:
    """Why a pattern is refused before it is compiled; None if it is not."""
    if len(pattern) > LONGEST:
        return f"more than {LONGEST} characters"
    plain = _ESCAPED.sub("", pattern)
    if _GROUP.search(plain) or _OTHER.search(plain):
        return "only plain groups, lookarounds and repeat counts are supported"
    repeats = 1
    for low, high in _COUNT.findall(plain):
        repeats *= max(1, int(high or low or 0))
    return f"its repeat counts multiply to more than {REPEATS}" if repeats > REPEATS else None
