"""Progress of a pool of runs: a line for each run that ends, and on a terminal a status line below them."""

from __future__ import annotations

import abc
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from hydra_pruning_sweeper.messages import duration, printable, wrapped
from seqlab.multiruns.pool import PoolRun, RunEnd

STATUS_SECONDS = 1.0
"""Seconds between two updates of the status line."""


class Estimate(abc.ABC):
    """Estimates how long runs still take."""

    @abc.abstractmethod
    def ended(self, name: str, seconds: float, resumed: bool) -> None:
        """A run ended well after so many seconds; `resumed`: it began from a checkpoint."""

    @abc.abstractmethod
    def seconds_left(self, remaining: Sequence[str], elapsed: Mapping[str, float]) -> list[float]:
        """The seconds that each of the `remaining` runs still takes; empty while nothing is known.

        Args:
            elapsed: for how many seconds those that run now have run.
        """


class PoolProgress:
    """Prints the progress of a pool of runs.

    Args:
        names: the runs that are not finished.
        done: how many runs are finished.
        slots: gives how many run at a time.
        estimate: tells how long the runs still take.
    """

    def __init__(self, names: Sequence[str], done: int, slots: Callable[[], int], estimate: Estimate) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._terminal = sys.stdout.isatty()
        self._remaining = list(names)
        self._done, self._all, self._slots = done, done + len(names), slots
        self._estimate = estimate
        self._width = max(map(len, names), default=0)
        self._announced: set[str] = set()
        self._elapsed: dict[str, float] = {}  # by run that ran a moment ago, for how many seconds
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

    def ended(self, end: RunEnd[Any]) -> None:
        """Prints a line for a run that has ended, with the time that the others still take."""
        name = end.run.name
        self._remaining.remove(name)
        if end.error is None:
            self._done += 1
            self._estimate.ended(name, end.seconds, end.resumed)
            outcome = f"done in {duration(end.seconds)}"
        else:
            outcome = f"FAILED after {duration(end.seconds)}: {end.error} ({end.run.log})"
        self.line(f"{name:<{self._width}} {outcome}   {self._done} of {self._all}{self._left()}")

    def refresh(self, running: Sequence[tuple[PoolRun, float]], stopping: bool) -> None:
        """Shows what runs now: in the status line on a terminal, else in one line per run."""
        self._elapsed = {run.name: seconds for run, seconds in running}
        if self._status is None:
            for run, _ in running:
                if run.name not in self._announced:
                    self._announced.add(run.name)
                    self.line(f"{run.name:<{self._width}} starts")
        elif time.monotonic() - self._updated > STATUS_SECONDS:
            self._updated = time.monotonic()
            what = ", ".join(f"{run.name} {duration(seconds)}" for run, seconds in running)
            verb = "saving" if stopping else "running"
            text = f"{verb} {what}   {self._done} of {self._all}{self._left()}"
            self._status.update(Text(printable(text)))

    def close(self) -> None:
        """Removes the status line."""
        if self._status is not None:
            self._status.stop()

    def _left(self) -> str:
        """How long the remaining runs take; "" if that is not known."""
        elapsed = {name: seconds for name, seconds in self._elapsed.items() if name in self._remaining}
        left = self._estimate.seconds_left(self._remaining, elapsed)
        if not left:
            return ""
        return f", about {duration(max(max(left), sum(left) / self._slots()))} left"
