"""A process that imports the heavy libraries once, and forks a child for each trial.

It computes nothing, since a child of a fork lacks the threads that a computation may have started. Orders are lines of
JSON that it reads, answers are lines that it writes. When its controller is gone, it ends its children.
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
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl


def serve() -> None:
    """Takes orders from standard input until that ends; anything printed goes to standard error."""
    orders, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    ForkServer(orders, answers).run()


class ForkServer:
    """Forks children on order, and reports how each ended.

    Orders are `{"preload": [modules]}` and `{"start": {…}}`: the arguments of `become` and the trial's number. Answers
    are `{"ready": …, "failed": …}`, `{"started": number, "pid": …}` and `{"ended": number, "code": …}`: the exit code,
    or minus the signal.
    """

    def __init__(self, orders: int, answers: int) -> None:
        self.orders, self.answers = orders, answers
        self._children: dict[int, int] = {}  # process → trial
        self._wakeup, wake = os.pipe()
        os.set_blocking(wake, False)
        self._wake = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def run(self) -> None:
        """Serves until the orders end."""
        buffer = b""
        while True:
            ready, _, _ = select.select([self.orders, self._wakeup], [], [])
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
                self._reap()
            if self.orders in ready:
                piece = os.read(self.orders, 65536)
                if not piece:
                    return self._end()
                *lines, buffer = (buffer + piece).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))

    def _obey(self, order: dict[str, Any]) -> None:
        if "preload" in order:
            failed = {}
            for name in order["preload"]:
                try:
                    importlib.import_module(name)
                except Exception as error:
                    failed[name] = f"{type(error).__name__}: {error}"
            self._answer(ready=True, failed=failed)
            return
        start = order["start"]
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(OSError):
                for handle in (self.orders, self.answers, self._wakeup, self._wake):
                    os.close(handle)
            signal.set_wakeup_fd(-1)
            become(parent=parent, **{name: value for name, value in start.items() if name != "number"})
        self._children[child] = start["number"]
        self._answer(started=start["number"], pid=child)

    def _reap(self) -> None:
        for child in list(self._children):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                _end_group(child)  # processes that it left behind, such as those of a distributed run
                self._answer(ended=self._children.pop(child), code=os.waitstatus_to_exitcode(status))

    def _answer(self, **facts: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self.answers, (json.dumps(facts) + "\n").encode())

    def _end(self) -> None:
        for child in self._children:
            _end_group(child)


def _end_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def become(
    parent: int, entry: str, arguments: list[str], environment: dict[str, str | None], log: str, folder: str
) -> NoReturn:
    """Makes this forked process behave like one that was started by typing the command line.

    Args:
        parent: the process that forked it, with which it ends.
        entry: what to run: see `entry_point`.
        arguments: `sys.argv`.
        environment: variables to set, or with None to remove.
        log: the file to which output is appended.
        folder: the working directory.
    """
    code = 1
    try:
        os.setpgid(0, 0)  # so that Ctrl-C reaches the controller only
        die_with(parent)
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
        print("$", shlex.join([os.path.basename(arguments[0]), *arguments[1:]]))  # noqa: PTH119
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
        found: Callable[[], Any] = getattr(importlib.import_module(module), function)
        return found
    return lambda: runpy.run_module(module, run_name="__main__", alter_sys=True) and None


def die_with(parent: int) -> None:
    """Ends this process when `parent`, which forked it, ends: by the kernel's signal on Linux, else by polling."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
    else:

        def poll() -> None:
            while os.getppid() == parent:
                time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)

        threading.Thread(target=poll, daemon=True).start()
    if os.getppid() != parent:  # it ended meanwhile
        os._exit(1)


if __name__ == "__main__":
    serve()
