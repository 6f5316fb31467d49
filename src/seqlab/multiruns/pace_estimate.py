"""How long the runs of a multirun still take, seen from those that have ended and those that run."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from hydra_pruning_sweeper.trial.pace import PACE_FILE, Pace
from seqlab.multiruns.pool_progress import Estimate


class PaceEstimate(Estimate):
    """A run that trains takes as long for a batch as so far. One that waits takes as long as those most like it.

    Args:
        folders: the folder of each run, by its name.
        overrides: what sets it apart from others; runs are the more alike the more of these they share.
        resumed: the runs that begin from a checkpoint, whose seconds are no sign of what a whole run takes.
    """

    def __init__(
        self, folders: Mapping[str, Path], overrides: Mapping[str, Collection[str]], resumed: Collection[str]
    ) -> None:
        self._folders, self._overrides, self._resumed = folders, overrides, resumed
        self._took: dict[str, float] = {}  # seconds of whole runs that have ended

    def ended(self, name: str, seconds: float, resumed: bool) -> None:
        """Notes how long a whole run took."""
        if not resumed:
            self._took[name] = seconds

    def seconds_left(self, remaining: Sequence[str], elapsed: Mapping[str, float]) -> list[float]:
        """The seconds that each of `remaining` still takes; empty until some run trains."""
        left = {}
        for name, seconds in elapsed.items():
            pace = Pace.read(self._folders[name] / PACE_FILE)
            if pace is not None and pace.steps and pace.ahead is not None:
                left[name] = seconds * pace.ahead / pace.steps
        whole = self._took | {name: elapsed[name] + more for name, more in left.items() if name not in self._resumed}
        known = whole or left
        if not known:
            return []
        return [
            left[name] if name in left else max(0.0, self._like(name, known) - elapsed.get(name, 0.0))
            for name in remaining
        ]

    def _like(self, name: str, known: Mapping[str, float]) -> float:
        """The mean over the known runs that share most with the named one."""
        shared = {one: len(set(self._overrides[one]) & set(self._overrides[name])) for one in known}
        most = max(shared.values())
        return statistics.fmean(known[one] for one, count in shared.items() if count == most)
