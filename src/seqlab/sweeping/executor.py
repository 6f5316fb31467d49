"""Running trials side by side, each in a process of its own, and hearing how each ends."""

from __future__ import annotations

import abc
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqlab.errors import RunError
from seqlab.sweeping.events import LOG

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """What is to be run.

    Args:
        number: the trial's.
        arguments: overrides, as they are typed.
        folder: the trial's own.
        environment: variables that it gets.
        slot: where it runs.
    """

    number: int
    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    slot: int = 0


@dataclass(frozen=True)
class Ended:
    """How a trial's process ended.

    Args:
        number: the trial's.
        code: its exit code, minus the signal that killed it, or None if nobody knows.
        error: what went wrong, where that is not in its log.
    """

    number: int
    code: int | None
    error: str | None = None


class Executor(abc.ABC):
    """Whatever can run jobs."""

    @abc.abstractmethod
    def start(self, job: Job) -> int | None:
        """Starts a job; gives its process, if that is one of this machine."""

    @abc.abstractmethod
    def wait(self, seconds: float) -> list[Ended]:
        """The jobs that have ended, after waiting at most so long for the first."""

    @abc.abstractmethod
    def signal(self, number: int, sign: signal.Signals) -> None:
        """Sends a signal to a job and all that it has started."""

    @abc.abstractmethod
    def close(self) -> None:
        """Ends all jobs."""


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def slot_threads(slots: int) -> int:
    """The cores that this process may use, divided among the slots, and no more than OMP_NUM_THREADS says."""
    cores = available_cores()
    said = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores // slots, int(said) if said.isdecimal() else cores))


def visible_gpus() -> list[str]:
    """The graphics cards that this process may use."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [one for one in named.split(",") if one and one != "-1"]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [str(number) for number in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]


def slot_environment(slot: int, threads: int, gpus: Sequence[str]) -> dict[str, str]:
    """The variables that keep a slot to its share of the machine."""
    environment = dict.fromkeys(THREADS, str(threads))
    return environment | ({"CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]} if gpus else {})


class ForkExecutor(Executor):
    """Forks each job from a server that has imported the heavy libraries once.

    Args:
        entry: what a job runs: see `server.entry_point`.
        program: the first word of the command line.
        preload: modules to import beforehand.
        environment: changes to that of the server, from which its children have theirs.

    Raises:
        RunError: a module cannot be imported.
    """

    def __init__(
        self, entry: str, program: str, preload: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self.entry, self.program, self.preload = entry, program, list(preload)
        self.environment = {**os.environ, **(environment or {})}
        self._ended: queue.Queue[Ended] = queue.Queue()
        self._server = _Server(self.environment, self._ended, self.preload)
        for name, error in self._server.failed().items():
            raise RunError(f"hydra.sweeper.preload: {name} cannot be imported ({error})")

    def start(self, job: Job) -> int | None:
        """Forks a process for the job; None if the server died over it, which `wait` then tells."""
        if self._server.has_ended():
            self._server = _Server(self.environment, self._ended, self.preload)
        return self._server.start(
            job.number,
            {
                "entry": self.entry,
                "arguments": [self.program, *job.arguments],
                "environment": dict(job.environment),
                "log": str(job.folder / LOG),
                "folder": str(Path.cwd()),
            },
        )

    def wait(self, seconds: float) -> list[Ended]:
        """The jobs that have ended."""
        ended: list[Ended] = []
        with contextlib.suppress(queue.Empty):
            ended.append(self._ended.get(timeout=seconds))
            while True:
                ended.append(self._ended.get_nowait())
        return ended

    def signal(self, number: int, sign: signal.Signals) -> None:
        """Sends a signal to the job's process group."""
        self._server.signal(number, sign)

    def close(self) -> None:
        """Ends the server, and it its children."""
        self._server.close()


class _Server:
    """A server's process, and a thread that hears what it says."""

    def __init__(self, environment: Mapping[str, str], ended: queue.Queue[Ended], preload: Sequence[str]) -> None:
        # `-c` and not `-m`: a child's __main__ must not be that module, which libraries would then run again.
        command = [sys.executable, "-c", "from seqlab.sweeping.server import serve; serve()"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, start_new_session=True)
        self._ended = ended
        self._changed = threading.Condition()
        self._over = False
        self._started: dict[int, int] = {}  # trial → process, of all that were started
        self._running: dict[int, int] = {}
        self._failed: dict[str, str] | None = None
        threading.Thread(target=self._listen, daemon=True).start()
        self.order({"preload": list(preload)})

    def failed(self) -> dict[str, str]:
        """What could not be imported; waits until the rest is."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._failed is not None)
            return self._failed or {}

    def has_ended(self) -> bool:
        """Whether it takes no orders any more."""
        return self._over or self._process.poll() is not None

    def order(self, order: dict[str, Any]) -> None:
        """Tells it to do something; what has ended hears nothing."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write((json.dumps(order) + "\n").encode())
            self._process.stdin.flush()

    def start(self, number: int, how: dict[str, Any]) -> int | None:
        """Has it fork; gives the child."""
        with self._changed:
            self._started.pop(number, None)
            self.order({"start": {"number": number, **how}})
            self._changed.wait_for(lambda: self._over or number in self._started)
            if number not in self._started:
                self._ended.put(Ended(number, None, "the server ended before it could fork"))
            return self._started.get(number)

    def signal(self, number: int, sign: signal.Signals) -> None:
        """Sends a signal to a child's process group."""
        with self._changed:
            if (child := self._running.get(number)) is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child, sign)

    def close(self) -> None:
        """Ends it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            with self._changed:
                if "started" in said:
                    self._started[said["started"]] = self._running[said["started"]] = said["pid"]
                    self._changed.notify_all()
                elif "ended" in said:
                    self._running.pop(said["ended"], None)
                    self._ended.put(Ended(said["ended"], said["code"]))
                else:
                    self._failed = said["failed"]
                    self._changed.notify_all()
        self._process.wait()
        with self._changed:  # its children die with it, but not what those have started
            self._over = True
            for number, child in self._running.items():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child, signal.SIGKILL)
                self._ended.put(Ended(number, None, "the server that had forked it ended"))
            self._running.clear()
            self._changed.notify_all()
