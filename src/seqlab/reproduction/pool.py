"""Runs side by side, each a process of its own, until all have ended or somebody says stop."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

from hydra_pruning_sweeper.execution.fork_server import DEATH_SIGNAL
from hydra_pruning_sweeper.execution.slots import slot_environment
from hydra_pruning_sweeper.quoting import quoted
from seqlab.errors import InputError
from seqlab.reproduction.plan import PlannedRun
from seqlab.runs.result import RESULT

TRAIN = (sys.executable, "-m", "seqlab.train")
LOOK = 0.1
"""Seconds between two looks at the processes."""


@dataclass(frozen=True)
class Ended:
    """A run whose process has ended.

    Args:
        seconds: how long it ran, this time.
        code: its exit code, minus the signal that killed it.
    """

    run: PlannedRun
    seconds: float
    code: int

    @property
    def error(self) -> str | None:
        """Why it failed, in a line; None if it did not."""
        if self.code == 0 and (self.run.folder / RESULT).is_file():
            return None
        lines = self.run.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""]
        errors = [line for line in lines if line.startswith("error: ")]
        reason = errors[-1].removeprefix("error: ") if errors else lines[-1].strip()
        return reason or (f"killed by signal {-self.code}" if self.code < 0 else f"exit code {self.code}")


@dataclass
class _Slot:
    run: PlannedRun
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    since: float


class Pool:
    """Runs a few at a time.

    Args:
        slots: how many.
        threads: of each.
        gpus: the graphics cards, which are dealt out to the slots.
        lock: of `locked`, which a run keeps as long as it lives, should this process be killed.
    """

    def __init__(self, slots: int, threads: int, gpus: Sequence[str], lock: int) -> None:
        self.threads, self.gpus, self.lock = threads, list(gpus), lock
        self._slots: list[_Slot | None] = [None] * slots
        self._asked = 0  # to stop, so many times

    def run(
        self,
        waiting: list[PlannedRun],
        begin: Callable[[PlannedRun], bool],
        ended: Callable[[Ended], None],
        look: Callable[[], None],
    ) -> bool:
        """Runs all; on Ctrl-C or SIGTERM those that run are told to save what they have, and no other begins.

        Args:
            waiting: emptied as they begin.
            begin: makes a run's folder; says whether it goes on from the checkpoint there.
            ended: is told of each.
            look: is called now and then.

        Returns:
            Whether all had their turn; else somebody said stop.
        """
        with self._listening():
            try:
                while True:
                    for number, slot in enumerate(self._slots):
                        if slot is None and waiting and not self._asked:
                            run = waiting.pop(0)
                            self._slots[number] = self._start(number, run, begin(run))
                    if not any(self._slots):
                        return not self._asked
                    look()
                    time.sleep(LOOK)
                    for one in self._reap():
                        ended(one)
            finally:
                for slot in self._slots:
                    if slot is not None:  # something went wrong here
                        slot.process.kill()
                        slot.process.wait()

    @property
    def running(self) -> list[tuple[PlannedRun, float]]:
        """What runs now, and for how many seconds."""
        return [(slot.run, time.monotonic() - slot.since) for slot in self._slots if slot is not None]

    @property
    def stopping(self) -> bool:
        """Whether somebody said stop."""
        return self._asked > 0

    def _start(self, number: int, run: PlannedRun, goes_on: bool) -> _Slot:
        place = quoted(str(run.folder))
        words = [f"resume={place}"] if goes_on else [*run.arguments, f"hydra.run.dir={place}"]
        environment = slot_environment(number, self.threads, self.gpus)
        log = run.log.open("ab" if goes_on else "wb")
        process = subprocess.Popen(
            [*TRAIN, *words],
            env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[self.lock],
            process_group=0,  # Ctrl-C is ours to pass on
            preexec_fn=_die_with_parent,  # no other thread is there that could hold a lock
        )
        return _Slot(run, process, log, time.monotonic())

    def _reap(self) -> Iterator[Ended]:
        for number, slot in enumerate(self._slots):
            if slot is not None and (code := slot.process.poll()) is not None:
                slot.log.close()
                self._slots[number] = None
                yield Ended(slot.run, time.monotonic() - slot.since, code)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM stop the runs: the first lets them save, the second does not wait for that."""

        def stop(number: int, frame: FrameType | None) -> None:
            self._asked += 1
            for slot in self._slots:
                if slot is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(slot.process.pid, signal.SIGTERM if self._asked == 1 else signal.SIGKILL)

        before: dict[int, Any] = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _die_with_parent() -> None:
    """Has a run told to stop when this process is gone, where the kernel can; it then saves what it has."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGTERM)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Keeps other processes out of a folder of runs, as long as this one lives and all that it starts.

    Raises:
        InputError: another one works there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"{folder}: another seqlab-reproduce, or a run that one left behind, still works here"
            ) from None
        yield file.fileno()
