"""What happened to a trial, line by line, in its folder: how it tells its controller, and how it remembers itself."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EVENTS = "events.jsonl"
LOG = "log.txt"


def log_of(folder: Path, number: int) -> str:
    """ " (PATH)" of a trial's log, to end a sentence with; "" where it has none: a launcher keeps its own."""
    path = folder / str(number) / LOG
    return f" ({path})" if path.is_file() else ""


class Events:
    """The file `events.jsonl` of a trial. Each line is written at once: a kill leaves it whole or not there."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / EVENTS

    def add(self, event: str, **facts: Any) -> None:
        """Writes a line."""
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

    def read(self) -> Progress:
        """All lines together."""
        progress = Progress()
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                try:
                    progress.take(json.loads(line))
                except ValueError:
                    continue  # torn by a machine that stopped
        return progress


@dataclass
class Decision:
    """Whether a trial was to stop at a step, and what the pruner noted about it."""

    prune: bool
    notes: dict[str, Any]


@dataclass
class Span:
    """When a slot had a trial: from a start to its end, or to the last thing that is known of it."""

    owner: str
    slot: int
    start: float
    end: float


@dataclass
class Progress:
    """Where a trial stands.

    Attributes:
        reported: step → best value so far.
        raw, times: step → the value itself, and when it was reported.
        decisions: step → whether to stop there.
        diverged: a value was no finite number.
        process: that runs it, or ran it last: machine, number, start (see `Lease`).
        ended: it came to its end; `value` is what it came to (None if it gave none).
        spans: the slots and times of each attempt.
        first_steps, last_steps: their times.
    """

    reported: dict[int, float] = field(default_factory=dict)
    raw: dict[int, float] = field(default_factory=dict)
    times: dict[int, float] = field(default_factory=dict)
    decisions: dict[int, Decision] = field(default_factory=dict)
    diverged: bool = False
    process: tuple[str, int, int | None] | None = None
    ended: bool = False
    value: float | None = None
    spans: list[Span] = field(default_factory=list)
    first_steps: list[float] = field(default_factory=list)
    last_steps: list[float] = field(default_factory=list)

    @property
    def pruned(self) -> bool:
        """Whether it was stopped early."""
        return any(one.prune for one in self.decisions.values())

    def take(self, line: dict[str, Any]) -> None:
        """Adds a line."""
        if self.spans:
            self.spans[-1].end = line["time"] if line["event"] != "started" else self.spans[-1].end
        match line["event"]:
            case "started":
                self.spans.append(Span(line["owner"], line["slot"], line["time"], line["time"]))
            case "process":
                self.process = (line["host"], line["pid"], line["start"])
            case "first_step":
                self.first_steps.append(line["time"])
            case "last_step":
                self.last_steps.append(line["time"])
            case "reported":
                step = line["step"]
                self.reported[step], self.raw[step], self.times[step] = line["value"], line["raw"], line["time"]
            case "decided":
                self.decisions[line["step"]] = Decision(line["prune"], line["notes"])
            case "diverged":
                self.diverged = True
            case "ended":
                self.ended, self.value = True, line["value"]
