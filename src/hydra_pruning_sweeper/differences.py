"""The differences between two descriptions in plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = "nothing"


@dataclass(frozen=True)
class Difference:
    """An entry in which two descriptions differ; `ABSENT` where one of them lacks it."""

    name: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.name} {_shown(self.old)} → {_shown(self.new)}"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """All entries in which two descriptions differ, by dotted name, in the order of `old`, then of `new`.

    Mappings are compared key by key, anything else as a whole; 1 and 1.0 are equal, 1 and True are not.
    """
    before, after = dict(_flat(old)), dict(_flat(new))
    names = dict.fromkeys((*before, *after))
    pairs = [Difference(name, before.get(name, ABSENT), after.get(name, ABSENT)) for name in names]
    return [one for one in pairs if not _equal(one.old, one.new)]


def listed(entries: Iterable[Difference], limit: int = 4) -> str:
    """Differences as part of a one-line message: the first `limit` of them, and how many more there are."""
    shown = [str(one) for one in entries]
    more = f", and {len(shown) - limit} more" if len(shown) > limit else ""
    return ", ".join(shown[:limit]) + more


def _flat(description: Mapping[str, Any], around: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in description.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{around}{name}.")
        else:
            yield f"{around}{name}", value


def _equal(old: Any, new: Any) -> bool:
    if isinstance(old, bool) != isinstance(new, bool):
        return False
    if _is_sequence(old) and _is_sequence(new):
        return len(old) == len(new) and all(map(_equal, old, new))
    return bool(old == new)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _shown(value: Any) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
