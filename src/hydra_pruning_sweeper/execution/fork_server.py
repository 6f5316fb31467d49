"""A process that imports the heavy libraries once, and forks a child for each job.

It computes nothing, since a child of a fork lacks the threads that a computation may have started. Orders are lines of
JSON that it reads, answers are lines that it writes. The pipe of orders ends when the process that writes them ends,
however that happens and on any system; the server then stops its children.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import select
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from hydra_pruning_sweeper.execution.process_control import die_with, signal_group

COMMAND = "$ "  # begins the line of a log that shows the command; output follows


def serve(stop_signal: int) -> None:
    """Takes orders from standard input until that ends; anything printed goes to standard error."""
    orders, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    ForkServer(orders, answers, signal.Signals(stop_signal)).run()


class ForkServer:
    """Forks children on order, and reports how each ended.

    Orders are `{"preload": [modules]}` and `{"start": {…}}`: the arguments of `become` and the job's number. Answers
    are `{"ready": …, "failed": …}`, `{"started": number, "pid": …}` and `{"ended": number, "code": …}`: the exit code,
    or minus the signal.

    Args:
        orders, answers: file descriptors.
        stop_signal: what the children receive when the orders end, or when the server itself dies.
    """

    def __init__(self, orders: int, answers: int, stop_signal: signal.Signals) -> None:
        self.orders, self.answers, self.stop_signal = orders, answers, stop_signal
        self._children: dict[int, int] = {}  # process → job
        self._wakeup, wake = os.pipe()
        os.set_blocking(wake, False)
        self._wake = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def run(self) -> None:
        """Serves until the orders end and all children have ended."""
        buffer = b""
        while True:
            ready, _, _ = select.select([self.orders, self._wakeup], [], [])
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
                self._reap()
            if self.orders in ready:
                piece = os.read(self.orders, 65536)
                if not piece:
                    return self._stop()
                *lines, buffer = (buffer + piece).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))

    def _obey(self, order: dict[str, Any]) -> None:
        if "preload" in order:
            self._preload(order["preload"])
        else:
            self._start(order["start"])

    def _preload(self, modules: list[str]) -> None:
        failed = {}
        with self._ending_with_the_orders():
            for name in modules:
                try:
                    importlib.import_module(name)
                except Exception as error:
                    failed[name] = f"{type(error).__name__}: {error}"
        self._answer(ready=True, failed=failed)

    @contextlib.contextmanager
    def _ending_with_the_orders(self) -> Iterator[None]:
        """A block, such as imports, in which no orders are read: the process ends at once when the orders end.

        A thread watches them, which is gone after the block: a fork needs a process without threads.
        """
        waiting, over = os.pipe()
        poll = select.poll()
        for handle in (self.orders, waiting):
            poll.register(handle, select.POLLHUP)  # not their content: the next order waits

        def watch() -> None:
            if self.orders in dict(poll.poll()):
                os._exit(1)

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            yield
        finally:
            os.close(over)
            watching.join()
            os.close(waiting)

    def _start(self, start: dict[str, Any]) -> None:
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(OSError):
                for handle in (self.orders, self.answers, self._wakeup, self._wake):
                    os.close(handle)
            signal.set_wakeup_fd(-1)
            job = {name: value for name, value in start.items() if name != "number"}
            become(parent=parent, stop_signal=self.stop_signal, **job)
        with contextlib.suppress(OSError):  # the child does the same; whoever is first, a signal finds its group
            os.setpgid(child, child)
        self._children[child] = start["number"]
        self._answer(started=start["number"], pid=child)

    def _reap(self) -> None:
        """Answers which children have ended."""
        for child in list(self._children):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                signal_group(child, signal.SIGKILL)  # what it left behind, such as the ranks of a distributed run
                self._answer(ended=self._children.pop(child), code=os.waitstatus_to_exitcode(status))

    def _answer(self, **facts: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self.answers, (json.dumps(facts) + "\n").encode())

    def _stop(self) -> None:
        """Stops the children, and waits for them: if the server ended before them, they would be signalled twice."""
        for child in self._children:
            signal_group(child, self.stop_signal)
        for child in self._children:
            os.waitpid(child, 0)
            signal_group(child, signal.SIGKILL)


def become(
    parent: int,
    stop_signal: signal.Signals,
    entry: str,
    arguments: list[str],
    environment: dict[str, str | None],
    log: str,
    folder: str,
) -> NoReturn:
    """Makes this forked process behave like one that was started by typing the command line.

    Args:
        parent: the process that forked it.
        stop_signal: what it receives when `parent` ends.
        entry: what to run: see `entry_point`.
        arguments: `sys.argv`.
        environment: variables to set, or with None to remove.
        log: the file to which output is appended.
        folder: the working directory.
    """
    code = 1
    try:
        os.setpgid(0, 0)  # so that Ctrl-C reaches the controller only
        die_with(parent, stop_signal)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.makedirs(os.path.dirname(log), exist_ok=True)  # noqa: PTH103, PTH120  # without another import
        output = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        os.chdir(folder)
        if folder not in sys.path:
            sys.path.insert(0, folder)  # where a user's own package may be
        sys.argv[:] = arguments
        print(COMMAND + shlex.join([os.path.basename(arguments[0]), *arguments[1:]]))  # noqa: PTH119
        code = _exit_code(entry_point(entry))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as the interpreter does when it exits
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _exit_code(run: Callable[[], Any]) -> int:
    try:
        value = run()
        if value is not None:
            from hydra_pruning_sweeper.trial.context import record_end

            record_end(value)
        return 0
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1


def entry_point(entry: str) -> Callable[[], Any]:
    """The function to run for `entry`: `package.module:function`, a module as for `python -m`, or a script's path."""
    import runpy

    if entry.endswith(".py") or os.sep in entry:
        return lambda: runpy.run_path(entry, run_name="__main__") and None
    module, _, function = entry.partition(":")
    if function:
        task: Callable[[], Any] = getattr(importlib.import_module(module), function)
        return task
    return lambda: runpy.run_module(module, run_name="__main__", alter_sys=True) and None
