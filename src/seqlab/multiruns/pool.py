"""Runs of `seqlab-train` side by side: which slot runs what, and how all of them are stopped.

The processes themselves are those of the sweeper's executor.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Generic, Protocol, TypeVar

from hydra_pruning_sweeper.execution.executor import Executor, ForkExecutor, Job, JobEnd, why_failed
from hydra_pruning_sweeper.execution.process_control import interrupts_handled
from hydra_pruning_sweeper.execution.slot_count import MeasuredSlots, SlotCount
from hydra_pruning_sweeper.execution.slots import slot_environment
from hydra_pruning_sweeper.file_lock import file_lock
from hydra_pruning_sweeper.messages import plural
from hydra_pruning_sweeper.trial.pace import PACE_FILE, PACE_VARIABLE
from seqlab.errors import InputError

TRAIN = "seqlab.train"
"""What each run executes, as `python -m seqlab.train` would."""
POLL_SECONDS = 0.1


class PoolRun(Protocol):
    """What a pool runs: one command line of `seqlab-train`, and the folder that it writes into."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def folder(self) -> Path:
        """Where it is kept."""

    @property
    def log(self) -> Path:
        """The file with what it prints."""

    def arguments(self, resumes: bool) -> list[str]:
        """The arguments of `seqlab-train`, with which it starts or resumes."""

    def has_ended(self) -> bool:
        """Whether its folder has what is written at the very end."""


R = TypeVar("R", bound=PoolRun)


@dataclass(frozen=True)
class RunEnd(Generic[R]):
    """A run whose process has ended.

    Args:
        seconds: how long the process ran.
        resumed: whether it continued from a checkpoint, so that the run took longer in all.
        error: why the run failed, in one line; None if it did not.
    """

    run: R
    seconds: float
    resumed: bool
    error: str | None


class PoolDisplay(Protocol):
    """What shows a user how the runs go."""

    def line(self, text: str) -> None:
        """Prints a line."""

    def refresh(self, running: Sequence[tuple[PoolRun, float]], stopping: bool) -> None:
        """Shows what runs now, for how many seconds each, and whether it is being stopped."""

    def close(self) -> None:
        """Ends what is shown."""


@dataclass(frozen=True)
class _Running(Generic[R]):
    run: R
    slot: int
    resumed: bool
    since: float  # by time.monotonic


class Pool(Generic[R]):
    """Runs a few runs at a time.

    Args:
        slots: how many run at a time.
        threads: the number of threads of each.
        gpus: identifiers of GPUs, which are dealt out to the slots.
        lock: the file descriptor of `locked`. Runs inherit it: should this process be killed, the folder stays locked
            until they have saved their state.
        preload: modules that are imported once for all runs.
    """

    def __init__(
        self, slots: SlotCount, threads: int, gpus: Sequence[str], lock: int, preload: Sequence[str] = ()
    ) -> None:
        self.slots, self.threads, self.gpus, self.lock, self.preload = slots, threads, list(gpus), lock, preload
        self._running: dict[int, _Running[R]] = {}  # by the number of the job
        self._started = 0
        self._interrupts = 0

    def run(
        self,
        waiting: list[R],
        begin: Callable[[R], bool],
        on_end: Callable[[RunEnd[R]], None],
        display: PoolDisplay,
    ) -> bool:
        """Runs all of `waiting`.

        On Ctrl-C or SIGTERM nothing more is started, and what runs saves its state; the second one kills it.

        Args:
            waiting: emptied as runs are started; `on_end` may add more.
            begin: prepares the folder of a run; returns whether the run resumes from the checkpoint in it.
            on_end: called for each run that has ended, but not for those that an interrupt stopped.
            display: refreshed several times per second, and closed at the end.

        Returns:
            Whether all were started; False after an interrupt.
        """
        if not waiting:
            display.close()
            return True
        passed_on = 0  # interrupts
        with (
            contextlib.closing(display),
            interrupts_handled(self._on_signal),
            contextlib.closing(self._executor()) as executor,
        ):
            try:
                while True:
                    while waiting and len(self._running) < self.slots.allowed() and not self._interrupts:
                        run = waiting.pop(0)
                        self._start(executor, run, begin(run))
                    if self._interrupts > passed_on:
                        passed_on = self._interrupts
                        self._signal_all(executor, signal.SIGTERM if passed_on == 1 else signal.SIGKILL)
                    if not self._running:
                        return not self._interrupts
                    if (news := self.slots.news()) is not None:
                        display.line(news)
                    display.refresh(self._elapsed(), self._interrupts > 0)
                    for end in map(self._ended, executor.wait(POLL_SECONDS)):
                        if end.error is None or not self._interrupts:
                            on_end(end)
            finally:
                self._signal_all(executor, signal.SIGKILL)  # none runs any more, except after an error

    def _elapsed(self) -> list[tuple[R, float]]:
        """What runs now, and for how many seconds."""
        return [(one.run, time.monotonic() - one.since) for one in self._running.values()]

    def _executor(self) -> Executor:
        return ForkExecutor(
            TRAIN,
            "seqlab-train",
            self.preload,
            environment=slot_environment(0, self.threads, ()),
            stop_signal=signal.SIGTERM,
            inherited=[self.lock],
        )

    def _start(self, executor: Executor, run: R, resumes: bool) -> None:
        arguments = run.arguments(resumes)
        slot = min(set(range(len(self._running) + 1)) - {one.slot for one in self._running.values()})
        self._started += 1
        self._running[self._started] = _Running(run, slot, resumes, time.monotonic())
        environment = slot_environment(slot, self.threads, self.gpus)
        pace = run.folder.resolve() / PACE_FILE
        pace.unlink(missing_ok=True)
        environment |= {PACE_VARIABLE: str(pace)} | self.slots.prepare(self._started, slot, run.folder)
        process = executor.start(Job(self._started, arguments, run.folder, environment, slot))
        self.slots.started(self._started, process)

    def _ended(self, end: JobEnd) -> RunEnd[R]:
        ended = self._running.pop(end.number)
        finished = end.code == 0 and ended.run.has_ended()
        self.slots.ended(end.number, finished)
        (ended.run.folder / PACE_FILE).unlink(missing_ok=True)
        error = None if finished else why_failed(end, ended.run.log)
        return RunEnd(ended.run, time.monotonic() - ended.since, ended.resumed, error)

    def _signal_all(self, executor: Executor, sign: signal.Signals) -> None:
        for number in self._running:
            executor.signal(number, sign)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += 1


def slots_in_words(slots: SlotCount, threads: int, gpus: Sequence[str]) -> str:
    """How many run at a time, and with what: "2 at a time, 1 thread each"."""
    at_first = " at first" if isinstance(slots, MeasuredSlots) else ""
    devices = f"{plural(len(gpus), 'GPU')} for all, " if gpus else ""
    return f"{slots.allowed()} at a time{at_first}, {devices}{plural(threads, 'thread')} each"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Locks a folder of runs against other processes; the lock lasts as long as any process that holds its descriptor.

    Raises:
        InputError: another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            descriptor = stack.enter_context(file_lock(folder / ".lock", wait=False))
        except OSError:
            raise InputError(f"{folder}: another command, or a run that one left behind, still works here") from None
        yield descriptor
