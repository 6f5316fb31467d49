"""How long a GPU is busy."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks import hardware


def kernel_seconds(events: Iterable[Any]) -> float:
    """Seconds in which at least one kernel ran.

    Args:
        events: a profiler's. Those that copy or clear memory and those that only name a part of the program are no
            kernels.
    """
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in events
        if event.device_type == DeviceType.CUDA
        and not event.is_user_annotation
        and not event.name.startswith(("Memcpy", "Memset"))
    )
    microseconds, reached = 0.0, -math.inf
    for start, end in spans:
        microseconds += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return microseconds / 1e6


@contextlib.contextmanager
def watched(note: Callable[[float], None]) -> Iterator[None]:
    """Notes in how many of the seconds meanwhile kernels run; nothing if none is seen, as without a GPU."""
    if not hardware.on_gpu():
        yield
        return
    # As torch does itself where torch.compile captures graphs: CUPTI crashes with graphs once it has been torn down.
    os.environ.update(DISABLE_CUPTI_LAZY_REINIT="1", TEARDOWN_CUPTI="0")
    hardware.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        yield
        hardware.synchronize()
    if seconds := kernel_seconds(profiler.events()):
        note(seconds)
