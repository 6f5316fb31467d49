"""Which controller runs a trial, and whether it is still alive."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ATTRIBUTE = "lease"


@dataclass(frozen=True)
class Lease:
    """The claim of a controller on a trial, stored as an attribute of the trial.

    Args:
        owner: the controller's unique name.
        host: the machine it runs on.
        pid: its process there.
        started: when that process started, in clock ticks: the system reuses process numbers.
        attempt: how often the trial has been started.
        idle: how many times in a row its process died without reporting another step.
        step: the trial's last reported step when it was started.
        child: the trial's process, and when it started.
        beat: a counter that a living controller keeps increasing.
        held: whether a controller runs it; false once that controller has stopped and released it.
    """

    owner: str
    host: str
    pid: int
    started: int | None
    attempt: int = 1
    idle: int = 0
    step: int = 0
    child: tuple[int, int | None] | None = None
    beat: int = 0
    held: bool = True

    def as_attribute(self) -> dict[str, Any]:
        """The lease as plain data."""
        return asdict(self)

    def beating(self) -> Lease:
        """The lease with its counter increased."""
        return replace(self, beat=self.beat + 1)


def lease_of(attributes: dict[str, Any]) -> Lease | None:
    """The lease among a trial's attributes; None if no controller ever had one."""
    if ATTRIBUTE not in attributes:
        return None
    facts = attributes[ATTRIBUTE]
    return Lease(**{**facts, "child": tuple(facts["child"]) if facts["child"] else None})


def machine() -> str:
    """This machine's name and boot: a process of an earlier boot cannot be alive."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{platform.node()}/{boot.read_text().strip()[:8]}" if boot.is_file() else platform.node()


def start_of(pid: int) -> int | None:
    """When a process started, in clock ticks; None if it does not run, or the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def this_process() -> tuple[str, int, int | None]:
    """What identifies this process to others: machine, process number, start."""
    pid = os.getpid()
    return machine(), pid, start_of(pid)


def lives(process: tuple[str, int, int | None] | None) -> bool:
    """Whether a process other than this one still runs on this machine."""
    return process is not None and process[0] == machine() and process[1] != os.getpid() and is_running(*process[1:])


def is_running(pid: int, started: int | None) -> bool:
    """Whether the process that had this number then still runs."""
    if Path("/proc/self/stat").is_file():
        return (start := start_of(pid)) is not None and started in (None, start)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class LeaseWatch:
    """Tells which leases have expired.

    A controller on this machine is looked up by its process. One on another machine counts as dead when its lease has
    not changed for `patience` seconds by this machine's clock, so that clocks need not agree.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._host = machine()
        self._seen: dict[int, tuple[Lease, float]] = {}

    def has_expired(self, number: int, lease: Lease | None) -> bool:
        """Whether no controller runs trial `number` any more."""
        if lease is None or not lease.held:
            return True
        if lease.host == self._host and not is_running(lease.pid, lease.started):
            return True
        now = time.monotonic()
        before, since = self._seen.get(number, (None, now))
        if before != lease:
            self._seen[number] = (lease, now)
            return False
        return now - since > self.patience
