"""Regular expressions that may come from a file of somebody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import regex

LONGEST = 500  # characters of a pattern
REPEATS = 1000
"""How often a pattern may repeat by numbers: all of them multiplied, as where one group stands in another."""
SECONDS = 10.0
"""For all matches in one text."""

_COUNT = regex.compile(r"\{(\d*),?(\d*)\}")
_GROUP = regex.compile(r"\(\?(?!:|=|!|<=|<!|>)")
_OTHER = regex.compile(r"(?<!\\[pPxN])\{(?!\d*,?\d*\})|\\g<|\\K|\\L")
_ESCAPED = regex.compile(r"\\[^pPxNgKL]")


def finder(pattern: str, known: bool = False) -> Callable[[str], Iterator[Any]]:
    """Finds all matches in a text, one after another, in a bounded time.

    A pattern that is `known` to end is taken as it is: watching the time doubles it.

    Refused is what could take any time or memory before that time is looked at: long patterns, repeats of repeats,
    groups that call themselves, approximate matching.

    Raises:
        ValueError: not a regular expression, or one of those; while matching, a text that takes more than `SECONDS`.
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
    """Why a pattern is not even compiled, if it is not."""
    if len(pattern) > LONGEST:
        return f"more than {LONGEST} characters"
    plain = _ESCAPED.sub("", pattern)
    if _GROUP.search(plain) or _OTHER.search(plain):
        return "only plain groups, lookarounds and repeats by numbers are known"
    repeats = 1
    for low, high in _COUNT.findall(plain):
        repeats *= max(1, int(high or low or 0))
    return f"it repeats more than {REPEATS} times by numbers" if repeats > REPEATS else None
