"""The most memory that training held at a time."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path

import torch

PROCESS = Path("/proc/self")
"""Where Linux tells what this process holds (`status`), and takes the order to measure its most anew (`clear_refs`)."""
ANEW = "5"
"""The order itself (see proc_pid_clear_refs(5))."""


def measure_anew(device: torch.device) -> None:
    """Forgets what this process held before, for example in an earlier run. Where a system has no such order, the most
    of the whole process stands.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with contextlib.suppress(OSError):
            (PROCESS / "clear_refs").write_text(ANEW, encoding="ascii")


def peak_memory(device: torch.device) -> int | None:
    """Bytes at most: on a GPU those of tensors on it; else resident ones of the whole process, libraries and data
    included. None on a system that does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # What getrusage(2) says on Linux may be of the process that started this one, and cannot be measured anew.
    with contextlib.suppress(OSError):
        if found := re.search(r"^VmHWM:\s+(\d+) kB$", (PROCESS / "status").read_text(encoding="utf-8"), re.MULTILINE):
            return int(found[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
