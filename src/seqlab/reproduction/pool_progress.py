"""How runs of claims go: a line for each that ends, and on a terminal one below them that changes."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hydra_pruning_sweeper.messages import duration, printable
from seqlab.reproduction.claim import Claim
from seqlab.reproduction.plan import PlannedRun
from seqlab.reproduction.pool import RunEnd

EVERY = 1.0
"""Seconds between two changes of the line."""


def expected_seconds(claims: Sequence[Claim], runs: Sequence[PlannedRun], references: Path) -> dict[str, float]:
    """About how long each run takes, by its name: as long as it took where the reference was made; of others the mean.

    Empty where nothing is known.
    """
    known: dict[tuple[str, str], float] = {}
    for claim in claims:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(reference_path(references, claim).read_text(encoding="utf-8"))
            known |= {(claim.name, one["label"]): one["seconds"]["mean"] for one in content["groups"] if one["seconds"]}
    if not known:
        return {}
    mean = statistics.fmean(known.values())
    return {run.name: known.get((run.claim.name, run.group.label), mean) for run in runs}


def reference_path(folder: Path, claim: Claim) -> Path:
    """Where what a claim came to is kept."""
    return folder / (f"{claim.name}.json" if claim.profile == "cpu" else f"{claim.name}_{claim.profile}.json")


class Screen:
    """Shows how it goes.

    Args:
        names: of the runs that are to be done.
        done: how many were finished before.
        slots: runs at a time.
        expected: seconds of each, where known.
    """

    def __init__(self, names: Sequence[str], done: int, slots: int, expected: dict[str, float]) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._terminal = sys.stdout.isatty()
        self._ahead = list(names)
        self._done, self._all, self._slots = done, done + len(names), slots
        self._expected = expected
        self._took: list[tuple[float, float]] = []  # expected and real seconds of the runs that have ended
        self._shown: set[str] = set()
        self._looked = 0.0
        self._status = self.console.status("") if self._terminal and names else None
        if self._status is not None:
            self._status.start()

    def line(self, text: str) -> None:
        """A line that stays."""
        self.console.print(printable(text), markup=False)

    def ended(self, end: RunEnd) -> None:
        """A line for a run that has ended, with what is still to be done."""
        name = end.run.name
        self._ahead.remove(name)
        if end.error is None:
            self._done += 1
            if name in self._expected:
                self._took.append((self._expected[name], end.seconds))
            came = f"done in {duration(end.seconds)}"
        else:
            came = f"FAILED after {duration(end.seconds)}: {end.error} ({end.run.log})"
        self.line(f"{name:<20} {came}   {self._done} of {self._all}{self._left([])}")

    def look(self, running: Sequence[tuple[PlannedRun, float]], stopping: bool) -> None:
        """Says what runs now: once a second on a terminal, else once a run."""
        if self._status is None:
            for run, _ in running:
                if run.name not in self._shown:
                    self._shown.add(run.name)
                    self.line(f"{run.name:<20} begins")
        elif time.monotonic() - self._looked > EVERY:
            self._looked = time.monotonic()
            what = ", ".join(f"{run.name} {duration(seconds)}" for run, seconds in running)
            verb = "saving" if stopping else "running"
            text = f"{verb} {what}   {self._done} of {self._all}{self._left(running)}"
            self._status.update(Text(printable(text)))

    def close(self) -> None:
        """Takes the changing line away."""
        if self._status is not None:
            self._status.stop()

    def _left(self, running: Sequence[tuple[PlannedRun, float]]) -> str:
        """How long it still takes, by the pace of the runs so far."""
        if not self._ahead or not self._expected:
            return ""
        pace = sum(real for _, real in self._took) / sum(said for said, _ in self._took) if self._took else 1.0
        been = {run.name: seconds for run, seconds in running}
        rest = [max(0.0, pace * self._expected[name] - been.get(name, 0.0)) for name in self._ahead]
        return f", about {duration(max(max(rest), sum(rest) / self._slots))} left"
