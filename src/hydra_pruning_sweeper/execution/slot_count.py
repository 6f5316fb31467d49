"""How many slots there are: a fixed number, or one that is measured while jobs run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from hydra_pruning_sweeper.execution.host_memory import bytes_of_groups, free_bytes
from hydra_pruning_sweeper.execution.slot_policy import FreeMemory, Sight, SlotPolicy
from hydra_pruning_sweeper.trial.pace import PACE_FILE, PACE_VARIABLE, Pace

AUTO = "auto"
"""What is typed for a measured number of slots."""
LOOK_SECONDS, LATER_SECONDS = 0.5, 5.0
"""Seconds between two looks at the running jobs, until the number is decided and later."""


class SlotCount:
    """A fixed number of slots. Slots are numbered from 0; those below `allowed` may get a job."""

    def __init__(self, slots: int) -> None:
        self.slots = slots

    def allowed(self) -> int:
        """How many jobs may run now."""
        return self.slots

    def prepare(self, number: int, slot: int, folder: Path) -> dict[str, str]:
        """Called before a job starts; gives variables that its process needs.

        Args:
            number: the number of the job.
            slot: the number of the slot that it runs in.
            folder: the folder of the job.
        """
        return {}

    def started(self, number: int, process: int | None) -> None:
        """Called when a job has a process, if its number is known."""

    def ended(self, number: int, well: bool) -> None:
        """Called when a job has ended, with whether it did what it should."""

    def news(self) -> str | None:
        """One line about a decision that was not announced yet; None if there is none."""
        return None


@dataclass
class _Job:
    slot: int
    pace: Path
    since: float  # by time.monotonic
    process: int | None = None


class MeasuredSlots(SlotCount):
    """A number of slots that a `SlotPolicy` decides, from what is seen of the running jobs.

    Args:
        policy: decides.
        noun: what a job is called in messages.
    """

    def __init__(self, policy: SlotPolicy, noun: str) -> None:
        super().__init__(policy.slots)
        self.policy, self.noun = policy, noun
        self._jobs: dict[int, _Job] = {}
        self._free = free_bytes()  # before the first job
        self._gpu_total: float | None = None
        self._looked = 0.0
        self._is_announced = False

    def allowed(self) -> int:
        """How many jobs may run now, by a recent look at them."""
        pause = LOOK_SECONDS if self.policy.reason is None else LATER_SECONDS
        if time.monotonic() - self._looked > pause:
            self._look()
        return self.policy.allowed()

    def prepare(self, number: int, slot: int, folder: Path) -> dict[str, str]:
        """Removes what an earlier process of the job has left; tells the next one where to write its pace."""
        path = folder.resolve() / PACE_FILE
        path.unlink(missing_ok=True)
        self._jobs[number] = _Job(slot, path, time.monotonic())
        return {PACE_VARIABLE: str(path)}

    def started(self, number: int, process: int | None) -> None:
        """Keeps the process, whose memory is looked at."""
        self._jobs[number].process = process

    def ended(self, number: int, well: bool) -> None:
        """Looks a last time at a job that has ended; does nothing about one that was not started."""
        if number in self._jobs:
            self._look()
            self.policy.ended(number, well)
            self._jobs.pop(number).pace.unlink(missing_ok=True)

    def news(self) -> str | None:
        """The decision, once."""
        if self._is_announced or self.policy.reason is None:
            return None
        self._is_announced = True
        return self.policy.line(self._gpu_total, self._free, self.noun)

    def _look(self) -> None:
        self._looked = time.monotonic()
        sights: list[Sight] = []
        gpus: dict[int, float] = {}
        used = bytes_of_groups({job.process for job in self._jobs.values() if job.process is not None})
        for number, job in self._jobs.items():
            pace = Pace.read(job.pace)
            gpu = job.slot % self.policy.gpus if self.policy.gpus else None
            steps, seconds, device = (None, 0.0, None) if pace is None else (pace.steps, pace.seconds, pace.device)
            if device is not None and gpu is not None:
                gpus[gpu], self._gpu_total = min(device.free, gpus.get(gpu, device.free)), device.total
            age, reserved = self._looked - job.since, None if device is None else device.reserved
            sights.append(Sight(number, gpu, age, steps, seconds, used.get(job.process or 0), reserved))
        self.policy.see(sights, FreeMemory(free_bytes(), gpus))
