"""Work that is captured as a CUDA graph and replayed: one launch in place of one for every kernel.

Off a GPU the same work runs eagerly on the same buffers, so that everything but the graph itself is tested on any
machine.
"""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...]
Work = TypeVar("Work")

LIMIT = 40
"""Graphs that are kept at once; the one that was used longest ago makes room."""


class CaptureError(Exception):
    """The work cannot be captured; the message says why, in one line."""


class GraphPool:
    """The memory and the stream of graphs that never run at the same time.

    Attributes:
        captured: number of graphs captured so far.
        seconds: what capturing them took.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.captured, self.seconds = 0, 0.0
        if device.type == "cuda":
            self._stream, self._handle = torch.cuda.Stream(device), torch.cuda.graph_pool_handle()

    def eagerly(self, work: Callable[[], Tensors], check: bool = False) -> Tensors:
        """Does the work once, without a graph, on the stream of the graphs.

        Args:
            check: whether to make sure that the work asks the device for no value, which no graph could hold. What it
                has changed by then must be only what it overwrites each time, and random states.

        Raises:
            CaptureError: it asks for one.
        """
        if self.device.type != "cuda":
            return work()
        current, before = torch.cuda.current_stream(self.device), torch.cuda.get_rng_state(self.device)
        self._stream.wait_stream(current)
        try:
            with torch.cuda.stream(self._stream), _asking_fails() if check else contextlib.nullcontext():
                return work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            if not check:
                raise
            torch.cuda.set_rng_state(before, self.device)
            raise CaptureError(_first_line(error)) from error
        finally:
            current.wait_stream(self._stream)

    def capture(self, work: Callable[[], Tensors]) -> Callable[[], Tensors]:
        """Captures the work, which must have been done before, without doing it: a function that replays it.

        Raises:
            CaptureError: CUDA refuses; the work is not done.
        """
        start = time.perf_counter()
        self.captured += 1
        if self.device.type != "cuda":
            return _EagerTwin(work)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, self._handle, self._stream, capture_error_mode="thread_local"):
                outputs = work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise CaptureError(_first_line(error)) from error
        self.seconds += time.perf_counter() - start
        return _Graph(graph, outputs)


class _Graph:
    """Replays a captured graph."""

    def __init__(self, graph: torch.cuda.CUDAGraph, outputs: Tensors) -> None:
        self._graph, self._outputs = graph, outputs

    def __call__(self) -> Tensors:
        self._graph.replay()
        return self._outputs


class _EagerTwin:
    """Does the work eagerly and, like a graph, leaves its outputs in the same tensors each time."""

    def __init__(self, work: Callable[[], Tensors]) -> None:
        self._work = work
        self._outputs: Tensors | None = None

    def __call__(self) -> Tensors:
        values = self._work()
        if self._outputs is None:
            self._outputs = tuple(value.detach().clone() for value in values)
        for output, value in zip(self._outputs, values, strict=True):
            output.copy_(value)
        return self._outputs


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


@contextlib.contextmanager
def _asking_fails() -> Iterator[None]:
    """Makes the host's waiting for a value of the device an error."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


class CapturedWork:
    """Work on buffers of fixed shapes: done eagerly at the first call, captured at the next, replayed from then on.

    Args:
        work: reads its inputs from buffers that stay where they are, and returns tensors. It asks the device for
            nothing, and draws random numbers from the default generator alone.
        pool: shared with other work that does not run at the same time.
        check: whether the second call is eager, too, and makes sure that the work can be captured: see
            `GraphPool.eagerly`. (The first may compile, and wait meanwhile.)
    """

    def __init__(self, work: Callable[[], Tensors], pool: GraphPool, check: bool = False) -> None:
        self._work, self._pool = work, pool
        self._eager_calls = [False, True] if check else [False]  # those to come, and whether they check
        self._replay: Callable[[], Tensors] | None = None

    @property
    def captured(self) -> bool:
        """Whether calls replay a graph by now."""
        return self._replay is not None

    def __call__(self) -> Tensors:
        """The outputs, which hold until the next call of any work in the pool.

        Raises:
            CaptureError: the work cannot be captured; it was not done.
        """
        if self._eager_calls:
            outputs = self._pool.eagerly(self._work, check=self._eager_calls[0])
            del self._eager_calls[0]
            return outputs
        if self._replay is None:
            self._replay = self._pool.capture(self._work)
        return self._replay()


class ByShape(Generic[Work]):
    """What was made for each shape; at most `limit`, of which the one that was used longest ago makes room."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, Work] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, shape: Hashable, make: Callable[[], Work]) -> Work:
        """That of a shape, made now if there is none."""
        if shape in self._kept:
            self._kept.move_to_end(shape)
            return self._kept[shape]
        if len(self._kept) == self._limit:
            self._kept.popitem(last=False)
        self._kept[shape] = made = make()
        return made
