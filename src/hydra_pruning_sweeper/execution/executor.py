"""Running jobs side by side, each in its own process: the trials of a sweep, or any other commands."""

from __future__ import annotations

import abc
import contextlib
import itertools
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.errors import ExecutionError
from hydra_pruning_sweeper.execution.fork_server import COMMAND
from hydra_pruning_sweeper.execution.process_control import signal_group
from hydra_pruning_sweeper.messages import error_in
from hydra_pruning_sweeper.trial.events import LOG


@dataclass(frozen=True)
class Job:
    """A command to run.

    Args:
        number: identifies the job; of a sweep, the trial's number.
        arguments: the command line, without the program.
        folder: the folder of the job, in which its log is kept.
        environment: variables that are set for the job.
        slot: the number of the slot that it runs in.
    """

    number: int
    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    slot: int = 0


@dataclass(frozen=True)
class JobEnd:
    """How a job's process ended.

    Args:
        number: the number of the job.
        code: its exit code; minus the signal's number if one killed it; None if unknown.
        error: what went wrong, where the log does not say so.
    """

    number: int
    code: int | None
    error: str | None = None


COLOUR = re.compile(r"\x1b\[[\d;]*m")
HYDRAS_ADVICE = "Set the environment variable HYDRA_FULL_ERROR=1"


def why_failed(end: JobEnd, log: Path) -> str:
    """Why a job failed, in one line: what its log says of the latest attempt, else its exit code or signal.

    The log says it in its last error (see `error_lines`), else in what ends its last traceback, else in its last line
    that is not indented.
    """
    if end.error is not None:
        return end.error
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    begin = max((index for index, line in enumerate(lines) if line.startswith(COMMAND)), default=-1)
    output = [COLOUR.sub("", line) for line in lines[begin + 1 :]]
    if (error := error_in([line for line in output[-50:] if line.strip()])) is not None:
        return error
    pairs = itertools.pairwise(_messages(output))
    raised = [after for line, after in pairs if line.startswith("Traceback (most recent call last)")]
    if raised or (messages := _messages(output[-50:])):
        return (raised or messages)[-1]
    return f"exit code {end.code}" if end.code is None or end.code >= 0 else f"killed by signal {-end.code}"


def _messages(lines: Sequence[str]) -> list[str]:
    """The lines that are not indented, and say something of the job."""
    return [line for line in lines if line.strip() and not line.startswith((" ", HYDRAS_ADVICE))]


class Executor(abc.ABC):
    """Runs jobs."""

    @abc.abstractmethod
    def prepare(self) -> None:
        """Does what takes time before the first job, such as importing libraries.

        Raises:
            ExecutionError: no job can be started.
        """

    @abc.abstractmethod
    def start(self, job: Job) -> int | None:
        """Starts a job; returns its process if that is known and on this machine."""

    @abc.abstractmethod
    def wait(self, seconds: float) -> list[JobEnd]:
        """The jobs that have ended; waits at most `seconds` for the first."""

    @abc.abstractmethod
    def signal(self, number: int, sign: signal.Signals) -> None:
        """Sends a signal to a job's process and those that it has started."""

    @abc.abstractmethod
    def close(self) -> None:
        """Ends all jobs."""


class ForkExecutor(Executor):
    """Forks each job from a server process that has imported the heavy libraries once.

    The server starts with `prepare`, or else with the first job.

    Args:
        entry: what a job runs: see `fork_server.entry_point`.
        program: the first word of a job's command line.
        preload: modules that the server imports.
        environment: variables that are set for the server, and so for all jobs.
        stop_signal: what jobs receive when the executor closes, and when this process or the server dies.
        inherited: open file descriptors that all jobs inherit.
    """

    def __init__(
        self,
        entry: str,
        program: str,
        preload: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGKILL,
        inherited: Sequence[int] = (),
    ) -> None:
        self.entry, self.program, self.preload = entry, program, list(preload)
        self.environment = {**os.environ, **(environment or {})}
        self.stop_signal, self.inherited = stop_signal, inherited
        self._ended: queue.Queue[JobEnd] = queue.Queue()
        self._server: _ServerProcess | None = None

    def prepare(self) -> None:
        """Starts the server unless it runs, and waits until it has imported the libraries.

        Raises:
            ExecutionError: a module cannot be imported.
        """
        self._running_server()

    def start(self, job: Job) -> int | None:
        """Forks a process for the job; None if the server died, which `wait` then reports as the job's end."""
        return self._running_server().start(
            job.number,
            {
                "entry": self.entry,
                "arguments": [self.program, *job.arguments],
                "environment": dict(job.environment),
                "log": str(job.folder / LOG),
                "folder": str(Path.cwd()),
            },
        )

    def _running_server(self) -> _ServerProcess:
        if self._server is None or self._server.has_ended():
            self._server = _ServerProcess(self.environment, self._ended, self.preload, self.stop_signal, self.inherited)
            for name, error in self._server.failed().items():
                raise ExecutionError(f"hydra.sweeper.preload: {name} cannot be imported ({error})")
        return self._server

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
        if self._server is not None:
            self._server.signal(number, sign)

    def close(self) -> None:
        """Ends the server, which stops its children and waits for them."""
        if self._server is not None:
            self._server.close()


class _ServerProcess:
    """The process of a fork server, with a thread that reads its answers."""

    def __init__(
        self,
        environment: Mapping[str, str],
        ended: queue.Queue[JobEnd],
        preload: Sequence[str],
        stop_signal: signal.Signals,
        inherited: Sequence[int],
    ) -> None:
        # `-c` instead of `-m`: libraries that import a child's __main__ again must not run the server.
        code = f"from hydra_pruning_sweeper.execution.fork_server import serve; serve({int(stop_signal)})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            pass_fds=inherited,
            start_new_session=True,  # so that Ctrl-C reaches only this process
        )
        self._ended, self._stop_signal = ended, stop_signal
        self._changed = threading.Condition()
        self._over = False
        self._started: dict[int, int] = {}  # job → process, of all that were started
        self._running: dict[int, int] = {}
        self._failed: dict[str, str] | None = None
        threading.Thread(target=self._listen, daemon=True).start()
        self.order({"preload": list(preload)})

    def failed(self) -> dict[str, str]:
        """Module → error of those that cannot be imported; waits until the others are."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._failed is not None)
            return self._failed or {}

    def has_ended(self) -> bool:
        """Whether it takes no more orders."""
        return self._over or self._process.poll() is not None

    def order(self, order: dict[str, Any]) -> None:
        """Sends an order; nothing happens if the server has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write((json.dumps(order) + "\n").encode())
            self._process.stdin.flush()

    def start(self, number: int, how: dict[str, Any]) -> int | None:
        """Lets the server fork a job; returns the child's process, or None if the server has died."""
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
                signal_group(child, sign)

    def close(self) -> None:
        """Ends the orders, and waits for the server to end."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._changed:
                if "started" in answer:
                    self._started[answer["started"]] = self._running[answer["started"]] = answer["pid"]
                    self._changed.notify_all()
                elif "ended" in answer:
                    self._running.pop(answer["ended"], None)
                    self._ended.put(JobEnd(answer["ended"], answer["code"]))
                else:
                    self._failed = answer["failed"]
                    self._changed.notify_all()
        self._process.wait()
        with self._changed:
            self._over = True
            for number, child in self._running.items():
                # The child itself received the signal as the server died; what it has started is killed here. A child
                # that may save what it has is left alone: a second signal would stop it at once.
                if self._stop_signal == signal.SIGKILL:
                    signal_group(child, signal.SIGKILL)
                self._ended.put(JobEnd(number, None, "the server that had forked it ended"))
            self._running.clear()
            self._changed.notify_all()
