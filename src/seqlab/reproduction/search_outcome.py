"""What a search chose, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SearchOutcome:
    """What came of a search.

    Args:
        trial, value: the best trial, and its value.
        chosen: the settings of that trial.
        trials: the number of trainings by how they ended: complete, pruned, fail.
        epochs: validations of all trainings.
        seconds: of all trainings, from their start to their end.
        flops: of all trainings, about; None if one has not left them.
        tokens: target tokens of all trainings; the same.
        space: what was searched.
    """

    trial: int
    value: float
    chosen: Sequence[str]
    trials: Mapping[str, int]
    epochs: int
    seconds: float
    flops: float | None
    tokens: float | None
    space: Mapping[str, str]

    @property
    def trainings(self) -> int:
        """How many trainings there were."""
        return sum(self.trials.values())
