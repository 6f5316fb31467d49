"""The most memory that training held at a time."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import torch

RESET = Path("/proc/self/clear_refs")
"""Where Linux takes the order to measure a process's highest resident memory anew."""
HIGHEST = "5"
"""The order itself (see proc_pid_clear_refs(5))."""


def measure_anew(device: torch.device) -> None:
    """Forgets what this process held before, for example in an earlier run. Where a system has no such order, the most
    of the whole process stands.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with contextlib.suppress(OSError):
            RESET.write_text(HIGHEST, encoding="ascii")


def peak_memory(device: torch.device) -> int | None:
    """Bytes at most: on a GPU those of tensors on it; else resident ones of the whole process, libraries and data
    included. None on a system that does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
