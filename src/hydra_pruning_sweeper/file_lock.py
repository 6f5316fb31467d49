"""A lock on a file, which the system releases when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path, wait: bool = True) -> Iterator[int]:
    """Holds an exclusive lock on the file `path`, which is created if it does not exist.

    Args:
        wait: whether to wait for another holder.

    Yields:
        The file's descriptor; the lock lasts as long as any process that inherits it.

    Raises:
        OSError: another process holds the lock and `wait` is false, or the file cannot be locked.
    """
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield handle
    finally:
        os.close(handle)
