"""Progress of the runs of claims: a line for each run that ends, and on a terminal a status line below them."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hydra_pruning_sweeper.messages import duration, printable, wrapped
from seqlab.reproduction.claim import Claim
from seqlab.reproduction.plan import Planned
from seqlab.reproduction.pool import RunEnd
from seqlab.reproduction.search_plan import PlannedSearch

STATUS_SECONDS = 1.0
"""Seconds between two updates of the status line."""


def expected_seconds(claims: Sequence[Claim], planned: Sequence[Planned], references: Path) -> dict[str, float]:
    """About how many seconds each run and search takes, by its name: as many as when the reference was made.

    A run without a reference is assumed to take the mean of the others, and a search half of that for each trial;
    without any reference the result is empty.
    """
    known: dict[tuple[str, str], float] = {}
    searches: dict[tuple[str, str], float] = {}
    for claim in claims:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(reference_path(references, claim).read_text(encoding="utf-8"))
            for group in content["groups"]:
                if group["seconds"]:
                    known[claim.name, group["label"]] = group["seconds"]["mean"]
                if "search" in group:
                    searches[claim.name, group["label"]] = group["search"]["seconds"]
    if not known:
        return {}
    mean = statistics.fmean(known.values())
    seconds = {}
    for one in planned:
        key = (one.claim.name, one.group.label)
        if isinstance(one, PlannedSearch):
            seconds[one.name] = searches.get(key, mean / 2 * (one.group.search.trials if one.group.search else 0))
        else:
            seconds[one.name] = known.get(key, mean)
    return seconds


def reference_path(folder: Path, claim: Claim) -> Path:
    """The file with the result of a claim."""
    return folder / (f"{claim.name}.json" if claim.profile == "cpu" else f"{claim.name}_{claim.profile}.json")


class PoolProgress:
    """Prints the progress of a pool of runs.

    Args:
        names: the runs that are not finished.
        done: how many runs are finished.
        slots: gives how many run at a time.
        expected: the expected seconds by run, or empty.
    """

    def __init__(self, names: Sequence[str], done: int, slots: Callable[[], int], expected: dict[str, float]) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._terminal = sys.stdout.isatty()
        self._remaining = list(names)
        self._done, self._all, self._slots = done, done + len(names), slots
        self._expected = expected
        self._took: list[tuple[float, float]] = []  # expected and real seconds of whole runs that have ended
        self._announced: set[str] = set()
        self._updated = 0.0
        self._status = self.console.status("") if self._terminal and names else None
        if self._status is not None:
            self._status.start()

    def line(self, text: str) -> None:
        """Prints a line, above the status line."""
        self.console.print(wrapped(printable(text), indent=21), markup=False)

    def known(self, name: str) -> None:
        """Takes a run out of those that remain: it is finished already, or can no longer be run."""
        if name in self._remaining:
            self._remaining.remove(name)
            self._done += 1

    def ended(self, end: RunEnd) -> None:
        """Prints a line for a run that has ended, with the time that the others still take."""
        name = end.run.name
        self._remaining.remove(name)
        if end.error is None:
            self._done += 1
            if name in self._expected and not end.resumed:
                self._took.append((self._expected[name], end.seconds))
            outcome = f"done in {duration(end.seconds)}"
        else:
            outcome = f"FAILED after {duration(end.seconds)}: {end.error} ({end.run.log})"
        self.line(f"{name:<20} {outcome}   {self._done} of {self._all}{self._left([])}")

    def refresh(self, running: Sequence[tuple[Planned, float]], stopping: bool) -> None:
        """Shows what runs now: in the status line on a terminal, else in one line per run."""
        if self._status is None:
            for run, _ in running:
                if run.name not in self._announced:
                    self._announced.add(run.name)
                    self.line(f"{run.name:<20} starts")
        elif time.monotonic() - self._updated > STATUS_SECONDS:
            self._updated = time.monotonic()
            what = ", ".join(f"{run.name} {duration(seconds)}" for run, seconds in running)
            verb = "saving" if stopping else "running"
            text = f"{verb} {what}   {self._done} of {self._all}{self._left(running)}"
            self._status.update(Text(printable(text)))

    def close(self) -> None:
        """Removes the status line."""
        if self._status is not None:
            self._status.stop()

    def _left(self, running: Sequence[tuple[Planned, float]]) -> str:
        """How long the remaining runs take, if they take as much longer than expected as those that have ended."""
        if not self._remaining or not self._expected:
            return ""
        pace = sum(real for _, real in self._took) / sum(expected for expected, _ in self._took) if self._took else 1.0
        elapsed = {run.name: seconds for run, seconds in running}
        left = [max(0.0, pace * self._expected[name] - elapsed.get(name, 0.0)) for name in self._remaining]
        return f", about {duration(max(max(left), sum(left) / self._slots()))} left"
