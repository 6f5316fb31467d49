"""Ctrl-C while a command imports what it needs: one line and exit code 130 in place of a traceback. And SIGTERM
while it works, which is to end it as Ctrl-C does.

Each command imports seqlab first, so that this file imports next to nothing.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

COMMANDS = (
    *("train", "evaluate", "predict", "generate", "describe", "sweep"),
    *("report", "reproduce", "play", "publish", "runs"),
)
"""What `seqlab-NAME` calls."""
MODULES = {name: f"seqlab.{name}" for name in COMMANDS} | {"runs": "seqlab.past_runs"}  # seqlab.runs is a room
"""What `python -m` calls for each of them."""


def stop_imports() -> None:
    """Has Ctrl-C end this process at once if it is a command of seqlab, until `raise_again`.

    A handler that raised an exception would not do: libraries catch it while they are imported, or report it as theirs.
    """
    if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)


def raise_again() -> None:
    """Has Ctrl-C raise KeyboardInterrupt again, as usual."""
    if signal.getsignal(signal.SIGINT) is _stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def stopping_at_once() -> Iterator[None]:
    """Has Ctrl-C end a command at once while it imports more, as `stop_imports` does."""
    stop_imports()
    try:
        yield
    finally:
        raise_again()


@contextlib.contextmanager
def terminated_as_by_ctrl_c() -> Iterator[None]:
    """Has SIGTERM raise KeyboardInterrupt in this process, unless somebody handles it, so that what is half-done is
    taken back. Processes that are forked meanwhile end at once, as usual.
    """
    process = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is stop:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _is_command() -> bool:
    name = os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119  # without another import
    module = sys.orig_argv[sys.orig_argv.index("-m") + 1 :][:1] if "-m" in sys.orig_argv else []
    return name in [f"seqlab-{one}" for one in COMMANDS] or module in [[one] for one in MODULES.values()]


def _stop(number: int, frame: FrameType | None) -> None:
    os.write(2, b"stopped\n")
    os._exit(128 + number)
