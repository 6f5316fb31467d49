"""What a controller announces while a sweep runs, and to whom: see `views.live_table`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hydra_pruning_sweeper.execution.outcome import Outcome
from hydra_pruning_sweeper.study.shared_study import LeasedTrial


@dataclass
class Slot:
    """A slot, in which trials run one after another.

    Args:
        number: the slot's number.
        leased: the trial that it has, if any.
        taken_at: when that trial was taken from the study, in seconds since the epoch.
    """

    number: int
    leased: LeasedTrial | None = None
    taken_at: float = 0.0


class SweepObserver:
    """Observer of a running sweep; this one ignores all events."""

    def preparing(self) -> None:
        """There are trials to run, and the executor prepares for the first."""

    def started(self, leased: LeasedTrial, slot: int) -> None:
        """A trial was started, continued or promoted."""

    def ended(self, number: int, outcome: Outcome) -> None:
        """A trial ended, or was paused."""

    def note(self, text: str) -> None:
        """Something else worth a line happened."""

    def refresh(self, slots: Sequence[Slot]) -> None:
        """Called several times per second."""
