"""A clock that knows whether its seconds are a program's own."""

from __future__ import annotations

import time
from pathlib import Path

SCHEDULED = Path("/proc/thread-self/schedstat")
"""Where Linux keeps a thread's nanoseconds on a core, and those for which it was ready and had none."""


def waited_for_a_core() -> float | None:
    """Seconds for which this thread was ready to run, but others had the cores; None where the system does not tell."""
    try:
        return int(SCHEDULED.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


class Stopwatch:
    """Adds up the seconds in which it runs, and those of them in which this thread waited for a core.

    Seconds depend on what else the machine does: whoever compares times can leave out those that had to share. In a
    `with` statement it runs for the statement's block.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None  # when it was started; None while it is stopped
        self._waited: float | None = 0.0
        self._waited_since: float | None = None

    def __enter__(self) -> Stopwatch:
        self.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.stop()

    def start(self) -> None:
        """Runs from now on; does nothing if it runs already."""
        if self._since is None:
            self._since, self._waited_since = time.perf_counter(), waited_for_a_core()

    def stop(self) -> None:
        """Stands still."""
        self._waited, self._seconds = self.waited, self.seconds
        self._since = None

    @property
    def runs(self) -> bool:
        """Whether it does not stand still."""
        return self._since is not None

    @property
    def seconds(self) -> float:
        """All seconds so far."""
        return self._seconds + (time.perf_counter() - self._since if self._since is not None else 0.0)

    @property
    def waited(self) -> float | None:
        """How many of them this thread waited for a core; None where the system does not tell."""
        if self._since is None:
            return self._waited
        now, then = waited_for_a_core(), self._waited_since
        return None if now is None or then is None or self._waited is None else self._waited + now - then
