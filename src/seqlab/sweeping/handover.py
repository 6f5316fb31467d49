"""The trial's side: how a process learns which trial it is, reports to it, and hears whether to stop."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from seqlab.errors import InputError
from seqlab.files import write_atomically
from seqlab.sweeping.events import Decision, Events
from seqlab.sweeping.lease import this_process

VARIABLE = "SEQLAB_TRIAL"  # names the file
STORAGE = "SEQLAB_STORAGE"  # the address of a storage that holds a password, which no file does
HANDOVER = "trial.json"


@dataclass(frozen=True)
class Handover:
    """What a trial's process is given: a file in the trial's folder, which its environment names.

    Args:
        study: its name.
        storage: where it is kept; None where the address holds a password and stands in the environment instead.
        number: which trial of it.
        folder: the trial's own.
        identity: the study's, which no other study of that name has.
        values: what was chosen for the trial.
        overrides: its whole command line.
        pruner: its configuration, with a `_target_`; None for no pruning.
        direction: "minimize" or "maximize".
    """

    study: str
    storage: str | None
    number: int = 0
    folder: str = ""
    identity: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    pruner: dict[str, Any] | None = None
    direction: Literal["minimize", "maximize"] = "minimize"

    def write(self) -> Path:
        """Writes the file."""
        path = Path(self.folder) / HANDOVER
        write_atomically(path, json.dumps(asdict(self)) + "\n")
        return path

    def address(self) -> str:
        """Where the study is kept.

        Raises:
            InputError: the environment does not say so.
        """
        found = self.storage or os.environ.get(STORAGE)
        if not found:
            raise InputError(f"{STORAGE} must hold the address of the storage where this trial runs, but is not set")
        return found


def handed_over(environment: Mapping[str, str] = os.environ) -> Handover | None:
    """The trial that this process is; None outside of a sweep."""
    path = environment.get(VARIABLE)
    return Handover(**json.loads(Path(path).read_text(encoding="utf-8"))) if path else None


def tell_end(value: Any) -> None:
    """Notes what the trial came to; does nothing outside of a sweep."""
    if (given := handed_over()) is not None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        Events(Path(given.folder)).add("ended", value=float(value) if number else None)


class Reporter:
    """Reports a trial's values, and says whether to stop.

    What it reports is the best value so far, since a pruner compares what stands at a step. A step that is taken again
    after a death gets the answer that it got, so that a killed trial ends as one that never was.

    Raises:
        ValueError: the trial is not running.
    """

    def __init__(self, given: Handover) -> None:
        from seqlab.sweeping.attachment import attached

        self.events = Events(Path(given.folder))
        self._progress = self.events.read()
        self._sign = 1 if given.direction == "minimize" else -1
        self._trial = attached(given)
        host, pid, start = this_process()
        self.events.add("process", host=host, pid=pid, start=start)

    def report(self, step: int, value: float, last: bool = False) -> bool:
        """Whether to stop after `step` (counted from 1), which came to `value`.

        At the last step nothing is asked: a trial that has run in full is complete.
        """
        if not math.isfinite(value):
            self.events.add("diverged", step=step)
            return True
        known = self._progress.decisions.get(step)
        if known is None:
            earlier = [one for at, one in self._progress.reported.items() if at < step]
            best = self._sign * min(self._sign * one for one in (*earlier, value))
            self._progress.reported[step] = best
            self.events.add("reported", step=step, value=best, raw=value)
            self._trial.report(best, step)
            if last:
                return False
            prune, notes = self._trial.decide(step)
            # First into the trial's own memory: a kill in between must not make it forget that it was to stop.
            known = self._progress.decisions[step] = Decision(prune, notes)
            self.events.add("decided", step=step, prune=prune, notes=notes)
        self._trial.note(known.notes)
        return known.prune


def reporter() -> Reporter | None:
    """A reporter for the trial that this process is; None outside of a sweep."""
    given = handed_over()
    return None if given is None else Reporter(given)
