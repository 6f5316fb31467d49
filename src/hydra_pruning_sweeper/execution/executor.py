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

from hydra_pruning_sweeper.errors import ExecutionError
from hydra_pruning_sweeper.trial.events import LOG


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
class JobEnd:
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
    def wait(self, seconds: float) -> list[JobEnd]:
        """The jobs that have ended, after waiting at most so long for the first."""

    @abc.abstractmethod
    def signal(self, number: int, sign: signal.Signals) -> None:
        """Sends a signal to a job and all that it has started."""

    @abc.abstractmethod
    def close(self) -> None:
        """Ends all jobs."""


class ForkExecutor(Executor):
    """Forks each job from a server that has imported the heavy libraries once.

    Args:
        entry: what a job runs: see `server.entry_point`.
        program: the first word of the command line.
        preload: modules to import beforehand.
        environment: changes to that of the server, from which its children have theirs.

    Raises:
        ExecutionError: a module cannot be imported.
    """

    def __init__(
        self, entry: str, program: str, preload: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self.entry, self.program, self.preload = entry, program, list(preload)
        self.environment = {**os.environ, **(environment or {})}
        self._ended: queue.Queue[JobEnd] = queue.Queue()
        self._server = _ServerProcess(self.environment, self._ended, self.preload)
        for name, error in self._server.failed().items():
            raise ExecutionError(f"hydra.sweeper.preload: {name} cannot be imported ({error})")

    def start(self, job: Job) -> int | None:
        """Forks a process for the job; None if the server died over it, which `wait` then tells."""
        if self._server.has_ended():
            self._server = _ServerProcess(self.environment, self._ended, self.preload)
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

    def wait(self, seconds: float) -> list[JobEnd]:
        """The jobs that have ended."""
        ended: list[JobEnd] = []
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


class _ServerProcess:
    """A server's process, and a thread that hears what it says."""

    def __init__(self, environment: Mapping[str, str], ended: queue.Queue[JobEnd], preload: Sequence[str]) -> None:
        # `-c` and not `-m`: a child's __main__ must not be that module, which libraries would then run again.
        command = [sys.executable, "-c", "from hydra_pruning_sweeper.execution.fork_server import serve; serve()"]
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
                self._ended.put(JobEnd(number, None, "the server ended before it could fork"))
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
                    self._ended.put(JobEnd(said["ended"], said["code"]))
                else:
                    self._failed = said["failed"]
                    self._changed.notify_all()
        self._process.wait()
        with self._changed:  # its children die with it, but not what those have started
            self._over = True
            for number, child in self._running.items():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child, signal.SIGKILL)
                self._ended.put(JobEnd(number, None, "the server that had forked it ended"))
            self._running.clear()
            self._changed.notify_all()
