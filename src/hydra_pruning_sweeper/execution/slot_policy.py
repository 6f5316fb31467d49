"""How many jobs run at a time, decided from what running jobs are seen to take and to achieve.

One job per GPU runs alone at first, or one in all without a GPU. Without a GPU there may then be as many as cores and
memory allow, since each job computes on cores of its own. On a GPU the number is doubled up to that, as long as all
jobs together become faster by at least a tenth; the last doubling is taken back if they do not.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hydra_pruning_sweeper.messages import plural

SHARE = 0.9
"""Of the memory that is free, the share that further jobs may fill."""
CONTEXT_BYTES = 1e9
"""What a process takes of a GPU besides its tensors: the driver's context, libraries' kernels, recorded graphs."""
WARM_SECONDS, WARM_STEPS = 1.0, 5
"""Training that is left out of a measurement: the first steps record graphs and load kernels."""
WINDOW_SECONDS, WINDOW_STEPS = 2.0, 10
"""The least training that a speed is computed from."""
LEAST_GAIN = 1.1
"""By which factor all jobs together must become faster for more of them to pay."""
SILENT_SECONDS = 60.0
"""After so long a job without a GPU that reports no steps counts as measured."""


@dataclass(frozen=True)
class Sight:
    """A running job as it is seen at one time.

    Args:
        number: identifies the job.
        gpu: the index of its GPU; None without one.
        age: seconds since it was started.
        steps, seconds: the batches that it has trained, and how long they took; None and 0 if it does not report them.
        memory: bytes of the machine's memory that it alone uses; None if unknown.
        reserved: bytes that it has reserved on its GPU, at most so far; None if unknown.
    """

    number: int
    gpu: int | None = None
    age: float = 0.0
    steps: int | None = None
    seconds: float = 0.0
    memory: float | None = None
    reserved: float | None = None

    @property
    def is_warm(self) -> bool:
        """Whether its first steps are over."""
        return self.seconds >= WARM_SECONDS and (self.steps or 0) >= WARM_STEPS


@dataclass(frozen=True)
class FreeMemory:
    """Bytes that are free now.

    Args:
        machine: in the machine's memory; None if unknown.
        gpus: on each GPU whose memory is known, by index.
    """

    machine: float | None = None
    gpus: Mapping[int, float] = field(default_factory=dict)


@dataclass
class _Level:
    """A number of slots that is being measured.

    Args:
        begun: the jobs that were seen to train since there are so many.
        starts: seconds and steps of each job when its measurement began.
        speeds: steps per second of each job.
        missed: the number of jobs that ended before they were measured.
    """

    slots: int
    begun: set[int] = field(default_factory=set)
    starts: dict[int, tuple[float, int]] = field(default_factory=dict)
    speeds: dict[int, float] = field(default_factory=dict)
    missed: int = 0

    def see(self, job: Sight) -> None:
        """Measures a job, from when all slots have had one that trains."""
        if not job.steps:
            return
        self.begun.add(job.number)
        if not self.is_filled or not job.is_warm:
            return
        seconds, steps = self.starts.setdefault(job.number, (job.seconds, job.steps))
        seconds, steps = job.seconds - seconds, job.steps - steps
        if seconds >= WINDOW_SECONDS and steps >= WINDOW_STEPS:
            self.speeds[job.number] = steps / seconds

    @property
    def is_filled(self) -> bool:
        """Whether all slots have had a job that trains."""
        return len(self.begun) >= self.slots

    def ended(self, job: Sight) -> None:
        """Forgets an unfinished measurement; a job that goes on later begins to count anew."""
        self.starts.pop(job.number, None)

    def has_missed(self, job: Sight) -> bool:
        """Whether a job that ended well could not be measured; one that was resumed at its very end shows nothing."""
        return job.steps is None or (job.steps > 0 and self.is_filled and job.number not in self.speeds)

    @property
    def is_measured(self) -> bool:
        """Whether at least half of the slots had a job whose speed is known."""
        return 2 * len(self.speeds) >= self.slots

    def gain_over(self, before: _Level) -> float:
        """By which factor all jobs together are faster than before.

        Jobs differ in their settings, and so in their speed. Thus those that ran before are compared with themselves.
        """
        common = self.speeds.keys() & before.speeds.keys()
        if common:
            speed_kept = statistics.fmean(self.speeds[one] / before.speeds[one] for one in common)
        else:
            speed_kept = statistics.fmean(self.speeds.values()) / statistics.fmean(before.speeds.values())
        return speed_kept * self.slots / before.slots


class SlotPolicy:
    """Decides how many jobs run at a time.

    Args:
        cores: how many jobs the cores are enough for.
        gpus: the number of GPUs; job after job goes to the next of them.
        most: how many jobs there are at most.

    Attributes:
        slots: how many may run as far as is known, if the memory is enough for them.
        reason: why no further slot is added; None while that is not decided.
    """

    def __init__(self, cores: int, gpus: int, most: int) -> None:
        self.cores, self.gpus, self.most = max(1, cores), gpus, most
        self.slots = max(1, min(gpus, self.cores, most))
        self.reason: str | None = None
        self._level, self._before = _Level(self.slots), _Level(0)
        self._jobs: Sequence[Sight] = ()
        self._free = FreeMemory()
        self._memory: dict[int, float] = {}  # job → the most that it has used
        self._reserved: dict[int, float] = {}

    @property
    def job_memory(self) -> float | None:
        """The most memory that a job has used, in bytes; None if unknown."""
        return max(self._memory.values(), default=None)

    @property
    def job_gpu_memory(self) -> float | None:
        """The most memory of a GPU that a job has used, in bytes; None if unknown."""
        reserved = max(self._reserved.values(), default=None)
        return None if reserved is None else reserved + CONTEXT_BYTES

    def see(self, jobs: Sequence[Sight], free: FreeMemory) -> None:
        """Takes into account how all running jobs, and the memory, are now."""
        self._jobs, self._free = jobs, free
        for job in jobs:
            if job.memory is not None:
                self._memory[job.number] = max(job.memory, self._memory.get(job.number, 0.0))
            if job.reserved is not None:
                self._reserved[job.number] = max(job.reserved, self._reserved.get(job.number, 0.0))
            self._level.see(job)
        if self.reason is None:
            self._judge()

    def ended(self, number: int, well: bool) -> None:
        """Takes into account that a job has ended, and whether it did what it should: one that failed shows nothing."""
        for job in [one for one in self._jobs if one.number == number]:
            self._level.ended(job)
            if well and self.reason is None and self._level.has_missed(job):
                self._level.missed += 1
                if self._level.missed >= self.slots:
                    self._settle_unmeasured(job)
        self._jobs = [job for job in self._jobs if job.number != number]

    def allowed(self) -> int:
        """How many jobs may run now: while memory is short, none is started for one that ends."""
        return max(1, min(self.slots, self._memory_limit()))

    def _judge(self) -> None:
        if any(self._needs_no_trying(job) for job in self._jobs):
            self._fill()
        elif self.gpus and self._level.is_measured:
            if self._before.slots and (gain := self._level.gain_over(self._before)) < LEAST_GAIN:
                self.reason = f"{self.slots} at a time are {f'only {gain - 1:.0%}' if gain > 1.005 else 'no'} faster"
                self.slots = self._before.slots
            elif (more := min(2 * self.slots, self._bound())) > self.slots:
                self._before, self._level, self.slots = self._level, _Level(more), more
            else:
                self._fill()

    def _needs_no_trying(self, job: Sight) -> bool:
        """Whether a job shows that cores and memory decide alone: it computes without a GPU."""
        if job.steps is None:
            return not self.gpus and job.age >= SILENT_SECONDS
        return job.is_warm and job.reserved is None

    def _settle_unmeasured(self, last: Sight) -> None:
        """Decides after jobs that ended before their speed was known: those mostly start, for which they need cores."""
        if self.gpus and last.steps is None:
            self.reason = "none reports its steps"
        else:
            self._fill("too short to be measured" if self.gpus else "")

    def _fill(self, why: str = "") -> None:
        """Decides for as many as cores and memory allow."""
        self.slots = max(self.slots, self._bound())
        limits = {"no core is left": self.cores, "no more to run": self.most, "no memory is left": self._memory_limit()}
        limit = next((name for name, limit in limits.items() if limit - self.slots < max(1, self.gpus)), "")
        self.reason = "; ".join(filter(None, (why, limit)))

    def _bound(self) -> int:
        """How many cores and memory are enough for: the same number on each GPU, if that is not less than one."""
        bound = min(self.cores, self.most, self._memory_limit())
        return bound - bound % self.gpus if 0 < self.gpus <= bound else bound

    def _memory_limit(self) -> int:
        """How many jobs the memory is enough for, those that run included."""
        limits = [self.most]
        if (size := self.job_memory) is not None and self._free.machine is not None:
            used = [self._memory[job.number] for job in self._jobs if job.number in self._memory and job.steps]
            limits.append(_fitting(self._free.machine, size, used))
        if (size := self.job_gpu_memory) is not None:
            for gpu, free in self._free.gpus.items():
                on_it = [job.number for job in self._jobs if job.gpu == gpu and job.number in self._reserved]
                fitting = _fitting(free, size, [self._reserved[number] + CONTEXT_BYTES for number in on_it])
                limits.append(self.gpus * fitting)
        return min(limits)

    def line(self, gpu_total: float | None, machine_total: float | None, noun: str) -> str:
        """One line that says what was decided, and from what.

        Args:
            gpu_total, machine_total: memory of a GPU, and of the machine when nothing ran, in bytes; None if unknown.
            noun: what a job is called.
        """
        gpus = self.gpus if self._reserved else 0
        where = f" on {'one GPU' if gpus == 1 else f'{gpus} GPUs'}" if gpus else ""
        takes = [
            f"{size / 1e9:.1f} GB of {total / 1e9:.0f}{place}"
            for size, total, place in (
                (self.job_gpu_memory, gpu_total, " on its GPU"),
                (self.job_memory, machine_total, " of main memory" if gpus else ""),
            )
            if size is not None and total is not None
        ]
        facts = [f"a {noun} takes {' and '.join(takes)}"] if takes else []
        facts += [plural(self.cores, "core"), *([self.reason] if self.reason else [])]
        return f"{plural(self.slots, 'slot')}{where}: {', '.join(facts)}"


def _fitting(free: float, size: float, used: Sequence[float]) -> int:
    """How many jobs of a size fit into a memory in which some run already, and still grow to that size."""
    growth = sum(size - one for one in used)
    return len(used) + max(0, int((SHARE * free - growth) / max(size, 1.0)))
