"""The log of events in a trial's folder: its controller, and the trial when it is continued, read its state there."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.objectives import Value

EVENTS = "events.jsonl"
LOG = "log.txt"
LARGEST = 2**63  # of integers


def log_of(folder: Path, number: int) -> str:
    """A trial's log as the end of a sentence, " (PATH)"; "" where there is none: launchers keep logs elsewhere."""
    path = folder / str(number) / LOG
    return f" ({path})" if path.is_file() else ""


class TrialEvents:
    """The file `events.jsonl` of a trial. A line is written by one call: a kill leaves all of it or nothing."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / EVENTS

    def add(self, event: str, **facts: Any) -> None:
        """Appends an event."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"event": event, "time": time.time(), **facts})
        handle = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o666)
        try:
            torn = (
                os.lseek(handle, 0, os.SEEK_END) > 0 and os.pread(handle, 1, os.lseek(handle, -1, os.SEEK_END)) != b"\n"
            )
            os.write(handle, (("\n" if torn else "") + line + "\n").encode())
        finally:
            os.close(handle)

    def read(self) -> TrialProgress:
        """The trial's progress according to all events."""
        progress = TrialProgress()
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    progress.take(json.loads(line))
                except (ValueError, RecursionError):
                    continue  # torn when the machine stopped, or not an event
        return progress


@dataclass
class Decision:
    """Whether a trial was to stop after a step for good, the attributes that the pruner set on it, and whether it was
    to stop until it is promoted.
    """

    prune: bool
    notes: dict[str, Any]
    pause: bool = False

    def stops(self, promoted: bool) -> bool:
        """Whether the trial stops after the step, from which it has been `promoted` or not."""
        return self.prune or (self.pause and not promoted)


@dataclass
class Span:
    """When a trial was in a slot: from its start to its last event; that its end was recorded counts only if the
    controller that started it did so.
    """

    owner: str
    slot: int
    start: float
    end: float


@dataclass
class TrialProgress:
    """The state of a trial.

    Attributes:
        reported: step → best value so far.
        raw, times: step → the value itself, and when it was reported.
        decisions: step → whether to stop after it.
        diverged: whether a value was not finite.
        process: the process that runs it, or ran it last: machine, number, start (see `Lease`).
        controller: the controller that started it and has not yet recorded its end, in the same form.
        pauses: whether the last attempt was to stop until the trial is promoted.
        ended: whether its task has returned, except to pause; `value` is the result, None if that was no number, or
            not one per objective, for which `problem` says why.
        spans: slot and times of each attempt.
        first_steps, last_steps: when training began and ended, per attempt.
    """

    reported: dict[int, float] = field(default_factory=dict)
    raw: dict[int, float] = field(default_factory=dict)
    times: dict[int, float] = field(default_factory=dict)
    decisions: dict[int, Decision] = field(default_factory=dict)
    diverged: bool = False
    process: tuple[str, int, int | None] | None = None
    controller: tuple[str, int, int | None] | None = None
    pauses: bool = False
    ended: bool = False
    value: Value | None = None
    problem: str | None = None
    spans: list[Span] = field(default_factory=list)
    first_steps: list[float] = field(default_factory=list)
    last_steps: list[float] = field(default_factory=list)

    @property
    def pruned(self) -> bool:
        """Whether the pruner stopped it."""
        return any(one.prune for one in self.decisions.values())

    def paused_after(self, promoted: Collection[int]) -> int | None:
        """The step after which it was paused, unless it was promoted from there; None if it is not paused."""
        return max((at for at, one in self.decisions.items() if one.pause and at not in promoted), default=None)

    def take(self, line: Any) -> None:
        """Takes an event into account.

        Raises:
            ValueError: it is not an event that `TrialEvents` writes.
        """
        if not isinstance(line, dict) or not _has_types(line, {"event": str, "time": float}):
            raise ValueError("not an event")
        kind = line["event"]
        if not _has_types(line, FACTS.get(kind, {})):
            raise ValueError(f"an event {kind} without its facts")
        # Another controller may record an end days after it.
        by_another = kind == "told" and bool(self.spans) and line.get("owner") != self.spans[-1].owner
        if self.spans and kind != "started" and not by_another:
            self.spans[-1].end = line["time"]
        match kind:
            case "started":
                self.spans.append(Span(line["owner"], line["slot"], line["time"], line["time"]))
                self.controller = _process(line)
                self.pauses = False
            case "process":
                self.process = _process(line)
            case "first_step":
                self.first_steps.append(line["time"])
            case "last_step":
                self.last_steps.append(line["time"])
            case "reported":
                step = line["step"]
                self.reported[step], self.raw[step], self.times[step] = line["value"], line["raw"], line["time"]
            case "decided":
                self.pauses = line.get("pause") is True
                self.decisions[line["step"]] = Decision(line["prune"], line["notes"], self.pauses)
            case "diverged":
                self.diverged = True
            case "ended" if not self.pauses:
                self.ended, self.value, self.problem = True, _value(line["value"]), line.get("problem")
            case "told":
                self.controller = None


FACTS: dict[str, dict[str, Any]] = {
    "started": {"owner": str, "slot": int},
    "process": {"host": str, "pid": int, "start": int | None},
    "reported": {"step": int, "value": float, "raw": float},
    "decided": {"step": int, "prune": bool, "notes": dict},
    "ended": {"value": float | list | None},
}
"""The facts that each event must contain, besides its time."""


def _value(value: float | list[Any] | None) -> Value | None:
    """What a trial came to.

    Raises:
        ValueError: one of several values is no number.
    """
    if isinstance(value, list) and not all(_has_types({"value": one}, {"value": float}) for one in value):
        raise ValueError("not a number per objective")
    return value


def _process(line: dict[str, Any]) -> tuple[str, int, int | None] | None:
    """The process that an event names, if any."""
    return (line["host"], line["pid"], line["start"]) if _has_types(line, FACTS["process"]) else None


def _has_types(line: dict[str, Any], kinds: dict[str, Any]) -> bool:
    """Whether an event has facts of these types; integers count as floats, booleans as neither."""
    for name, kind in kinds.items():
        value = line.get(name, ...)
        if isinstance(value, bool) and kind is not bool:
            return False
        if not isinstance(value, int | kind if kind in (float, float | list | None) else kind):
            return False
        if isinstance(value, int) and abs(value) > LARGEST:
            return False
    return True
