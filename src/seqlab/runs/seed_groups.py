"""Groups of runs that differ in their seed alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from seqlab.identity import HOW_IT_BEGINS
from seqlab.runs.description import described
from seqlab.runs.result import RunResult

Run = TypeVar("Run")
Key = TypeVar("Key", bound=Hashable)

UNCOMPARED = ("seed", *HOW_IT_BEGINS)
"""Overrides in which runs of one group may differ."""


def compared_overrides(overrides: Mapping[str, str]) -> dict[str, str]:
    """The overrides of a run by which it belongs to a group."""
    return {name: value for name, value in overrides.items() if name not in UNCOMPARED}


def seed_groups(
    runs: Sequence[Run], key: Callable[[Run], Key], result: Callable[[Run], RunResult | None]
) -> list[tuple[Key, list[Run]]]:
    """Groups of runs that have one key and one description, in the order of the first run of each.

    Args:
        key: what else the runs of a group must share, such as what was typed for them.
        result: the run's result; None if the run failed. Such a run belongs to the first group of its key.

    Returns:
        The key and the runs of each group. Groups of one key differ in their data, model or settings.
    """
    descriptions = [described(one) if (one := result(run)) else None for run in runs]
    first: dict[Key, str] = {}
    for run, description in zip(runs, descriptions, strict=True):
        if description is not None:
            first.setdefault(key(run), description)
    groups: dict[tuple[Key, str | None], list[Run]] = {}
    for run, description in zip(runs, descriptions, strict=True):
        groups.setdefault((key(run), description or first.get(key(run))), []).append(run)
    return [(common, members) for (common, _), members in groups.items()]
