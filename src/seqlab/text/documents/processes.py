"""Work on files in processes that may die of it.

A file that crashes its reader, or hangs in it, costs one process, which is replaced; `ProcessPoolExecutor` would give
up all that waits.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")
# Forked: nothing is imported again, and a caller's script needs no `if __name__ == "__main__"`.
_CONTEXT = multiprocessing.get_context("fork")


class Died(str):
    """Why a process ended at its task."""


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    work: Callable[[Task], Answer], tasks: Sequence[Task], processes: int, seconds: int
) -> Iterator[tuple[Task, Answer | Died]]:
    """Each task with `work(task)`, or with why the process died that did it; in the order in which they end.

    What `work` raises is raised here. A process that takes longer than `seconds` for a task dies of it.
    """
    waiting = iter(range(len(tasks)))
    busy: dict[Connection, _Worker[Answer]] = {}

    def start(i: int) -> None:
        worker = _Worker(lambda i: work(tasks[i]), seconds)
        busy[worker.connection] = worker
        worker.give(i)

    try:
        for i in islice(waiting, processes):
            start(i)
        while busy:
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                done, answer = worker.take()
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
    """A process that does one task after another, each named by its number."""

    def __init__(self, work: Callable[[int], Answer], seconds: int) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self._seconds = seconds
        self._process = _CONTEXT.Process(target=_serve, args=(work, theirs, self.connection, seconds), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, task: int) -> None:
        self._task = task
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
        if code == -signal.SIGALRM:
            return f"its reader was stopped after {self._seconds} seconds"
        if code == -signal.SIGKILL:
            return "its reader was killed (too little memory?)"
        return f"its reader crashed ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(work: Callable[[int], Any], connection: Connection, parents: Connection, seconds: int) -> None:
    parents.close()  # else this process would keep its own line open when the parent dies
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops this process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process even inside a library's C code
    warnings.simplefilter("ignore")
    logging.disable()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        signal.alarm(seconds)
        try:
            answer = work(task)
        except Exception as error:
            answer = error
        signal.alarm(0)
        connection.send(answer)
