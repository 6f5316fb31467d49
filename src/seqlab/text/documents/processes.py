"""A process pool whose workers may crash.

A file that crashes its reader, or makes it hang, costs one process, which is replaced; with `ProcessPoolExecutor` all
tasks that are still waiting would fail.
"""

from __future__ import annotations

import contextlib
import logging
import math
import multiprocessing
import os
import resource
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Generic, TypeVar

from seqlab.checks import check_sizes

Task = TypeVar("Task")
Answer = TypeVar("Answer")
# Forked, so that nothing is imported again and a caller's script needs no `if __name__ == "__main__"`.
_CONTEXT = multiprocessing.get_context("fork")
HELD = Path("/proc/self/statm")
"""Where Linux says how much memory a process uses. On other systems readers have no memory limit."""


class Died(str):
    """Why the process that worked on a task died."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on reading one file; a file that exceeds one is skipped, and the limit is named as the reason.

    Args:
        seconds: time to read it.
        memory: MiB that its reader may use beyond what the program already uses.
        growth: how many times the size of the file its text may be (16 MiB are always allowed).

    Raises:
        ValueError: a limit below 1.
    """

    seconds: int = 300
    memory: int = 2048
    growth: int = 20

    def __post_init__(self) -> None:
        check_sizes(seconds=self.seconds, memory=self.memory, growth=self.growth)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    work: Callable[[Task], Answer], tasks: Sequence[Task], processes: int, limits: Limits
) -> Iterator[tuple[Task, Answer | Died]]:
    """Yields each task with `work(task)`, or with the reason its process died, in the order in which they finish.

    An exception in `work` is raised here. A process that exceeds the time limit is killed; one that exceeds the memory
    limit gets a MemoryError.
    """
    if not HELD.is_file():
        warnings.warn("data.limits.memory works on Linux only: here a file may use all memory", stacklevel=2)
    waiting = iter(range(len(tasks)))
    busy: dict[Connection, _Worker[Answer]] = {}

    def start(i: int) -> None:
        worker = _Worker(lambda i: work(tasks[i]), limits)
        busy[worker.connection] = worker
        worker.give(i)

    try:
        for i in islice(waiting, processes):
            start(i)
        while busy:
            due = min(worker.deadline for worker in busy.values()) - time.monotonic()
            answered = wait(list(busy), max(0.0, due))
            late = [connection for connection, worker in busy.items() if worker.deadline <= time.monotonic()]
            for connection in {*answered, *late}:
                worker = busy[connection]  # type: ignore[index]
                done, answer = worker.take() if connection in answered else worker.kill()
                following = next(waiting, None)
                if following is not None and not isinstance(answer, Died):
                    worker.give(following)
                else:
                    busy.pop(worker.connection).stop()
                    if following is not None:
                        start(following)
                yield tasks[done], answer
    finally:
        for worker in busy.values():
            worker.stop()


class _Worker(Generic[Answer]):
    """A process that does one task after another; a task is passed by its index."""

    def __init__(self, work: Callable[[int], Answer], limits: Limits) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self._limits, self.deadline = limits, math.inf
        self._process = _CONTEXT.Process(target=_serve, args=(work, theirs, self.connection, limits), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, task: int) -> None:
        self._task, self.deadline = task, time.monotonic() + self._limits.seconds
        with contextlib.suppress(OSError):  # the process has died: `take` says why
            self.connection.send(task)

    def take(self) -> tuple[int, Answer | Died]:
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            return self._task, Died(self._cause(self._process.exitcode or 0))
        if isinstance(answer, Exception):
            raise answer
        return self._task, answer

    def _cause(self, code: int) -> str:
        if code == -signal.SIGKILL:
            return "its reader was killed (too little memory?)"
        return f"its reader crashed ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"

    def kill(self) -> tuple[int, Died]:
        """Kills the process, which has exceeded the time limit."""
        self._process.kill()
        return self._task, Died(f"its reader was stopped after {self._limits.seconds} seconds")

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(work: Callable[[int], Any], connection: Connection, parents: Connection, limits: Limits) -> None:
    parents.close()  # else this process would hold its own pipe open and not notice that the parent died
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops this process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _limit_memory(limits.memory << 20)
    warnings.simplefilter("ignore")
    logging.disable()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            answer = work(task)
        except Exception as error:
            answer = error
        connection.send(answer)


def _limit_memory(more: int) -> None:
    """Limits the process to `more` bytes beyond those that it shares with its parent."""
    with contextlib.suppress(OSError):  # not Linux, of which `in_processes` warns
        held = int(HELD.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = held + more
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
