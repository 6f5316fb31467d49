"""How processes are stopped: by signals to process groups, by the death of their parent, by Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from hydra_pruning_sweeper.study.lease import is_running

PR_SET_PDEATHSIG = 1  # the option of Linux's prctl that sets the signal


def signal_group(leader: int, sign: signal.Signals) -> None:
    """Sends a signal to a process group, if it still exists and belongs to this user."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, sign)


def end_group(leader: int, started: int | None) -> bool:
    """Kills a process group by its leader, unless the leader's number may by now belong to another process.

    Only where /proc tells when a process started can that be ruled out. Elsewhere nothing is killed; the process gets
    two seconds to end by itself, as `die_with` has it do.

    Args:
        leader: the process number of the leader.
        started: when that process started, in clock ticks; None where the system does not tell.

    Returns:
        Whether the leader is gone.
    """
    for _ in range(100):
        if not is_running(leader, started):
            return True
        if started is not None:
            signal_group(leader, signal.SIGKILL)
        time.sleep(0.02)
    return False


def die_with(parent: int, sign: signal.Signals) -> None:
    """Has this process, which leads a group, receive `sign` when `parent`, which forked it, ends.

    On Linux the kernel sends the signal. Elsewhere a thread looks twice a second whether the parent is still there, and
    sends it to the whole group.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, sign)
    else:

        def poll() -> None:
            while os.getppid() == parent:
                time.sleep(0.5)
            signal_group(os.getpid(), sign)

        threading.Thread(target=poll, daemon=True).start()
    if os.getppid() != parent:  # it ended before the signal was set up
        os._exit(1)


@contextlib.contextmanager
def interrupts_handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Has `handler` called on Ctrl-C and SIGTERM; restores the handlers before it at the end."""
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)
