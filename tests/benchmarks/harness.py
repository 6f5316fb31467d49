"""Timing things beside each other, on a machine whose speed drifts."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeVar

import torch

from benchmarks import hardware
from seqlab.training.peak_memory import peak_memory as held_at_most

R = TypeVar("R")


class Done(NamedTuple):
    """What a turn did, and the seconds it took where its side measures them itself."""

    amount: float  # of tokens, sentences, steps: whatever rates are of
    seconds: float | None = None


Side = Callable[[int], Done | float]
"""One of the things compared: does the work of turn n and tells how much that was."""


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Of any number of values but none."""
        low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
        return cls(median, low, high)

    def times(self, factor: float) -> Spread:
        """The same in another unit."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)


class Timings:
    """The turns of all sides. Turn n of one was taken right beside turn n of the others."""

    def __init__(self, turns: dict[str, list[tuple[float, float]]]) -> None:
        self._turns = turns  # amount and seconds

    def __len__(self) -> int:
        return min(map(len, self._turns.values()))

    def rate(self, side: str) -> Spread:
        """Amount a second."""
        return Spread.of([amount / seconds for amount, seconds in self._turns[side]])

    def seconds(self, side: str) -> Spread:
        """Of a turn."""
        return Spread.of([seconds for _, seconds in self._turns[side]])

    def ratio(self, side: str, other: str) -> Spread:
        """How many times the rate of `other`, turn by turn: what slows the machine slows both."""
        pairs = zip(self._turns[side], self._turns[other], strict=True)
        return Spread.of([(own[0] / own[1]) / (its[0] / its[1]) for own, its in pairs])

    def difference(self, side: str, other: str) -> Spread:
        """How many seconds more than `other`, turn by turn."""
        return Spread.of(self.differences(side, other))

    def differences(self, side: str, other: str) -> list[float]:
        """The same, of every turn."""
        pairs = zip(self._turns[side], self._turns[other], strict=True)
        return [own[1] - its[1] for own, its in pairs]


class Rounds:
    """Numbers of turns for about so many seconds, and what the sides did in each; the first `warmup` do not count."""

    def __init__(self, seconds: float, warmup: int = 1, least: int = 3, most: int = 200) -> None:
        self._seconds, self._warmup, self._least = seconds, warmup, least
        self.most = warmup + most
        self._turns: dict[str, list[tuple[float, float]]] = {}

    def __iter__(self) -> Iterator[int]:
        start, turn = 0.0, 0
        while turn < self._warmup + self._least or (turn < self.most and time.perf_counter() - start < self._seconds):
            if turn == self._warmup:
                start = time.perf_counter()
            yield turn
            turn += 1

    def take(self, name: str, side: Side, turn: int) -> None:
        """Has a side take its turn, and waits until the device has done it."""
        begun = time.perf_counter()
        done = side(turn)
        hardware.synchronize()
        elapsed = time.perf_counter() - begun
        done = done if isinstance(done, Done) else Done(done)
        self.note(name, turn, done.amount, elapsed if done.seconds is None else done.seconds)

    def note(self, name: str, turn: int, amount: float, seconds: float) -> None:
        """Keeps what a side did in a turn."""
        if turn >= self._warmup:
            self._turns.setdefault(name, []).append((amount, seconds))

    def timings(self) -> Timings:
        """Of all turns that count."""
        return Timings(self._turns)


def alternate(sides: Mapping[str, Side], seconds: float, warmup: int = 1, least: int = 3, most: int = 200) -> Timings:
    """Has each side take its turn, A B A B …: see `Rounds`."""
    rounds = Rounds(seconds, warmup, least, most)
    for turn in rounds:
        for name, side in sides.items():
            rounds.take(name, side, turn)
    return rounds.timings()


def isolated(function: Callable[..., R], *arguments: Any, threads: int | None = None) -> R:
    """Calls `function` in a process of its own, which has at once what this one has imported and read.

    It must be forked before this process computes with several threads, which no child survives: so this one never
    does.
    """
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_use, initargs=(threads or thread_count(),)) as pool:
        return pool.submit(function, *arguments).result()


def _use(threads: int) -> None:
    torch.set_num_threads(threads)


def thread_count() -> int:
    """Threads to use: $OMP_NUM_THREADS, or as many as there are processors."""
    if os.environ.get("OMP_NUM_THREADS", "").isdecimal():
        return int(os.environ["OMP_NUM_THREADS"])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory(make: Callable[..., Side], *arguments: Any) -> float:
    """MiB that a side takes at most over two turns, beyond what was imported and read: call it `isolated`."""
    before = most_memory()
    side = make(*arguments)
    for turn in range(2):
        side(turn)
    return most_memory() - before


def most_memory() -> float:
    """MiB that this process has taken at most so far."""
    held = held_at_most(torch.device("cpu"))
    assert held is not None  # the benchmarks fork, which needs a system that tells
    return held / 2**20


@dataclass
class StepTimes:
    """Milliseconds of a training step on a GPU.

    Attributes:
        textbook: of the textbook's, on random batches.
        eager, replayed: of ours outside the trainer, without and with captured graphs.
        run: of ours in a whole run.
        busy: the share of the run's time in which kernels run; None where no GPU was watched.
        graphs: how many were captured in the run.
        not_captured: why none were.
    """

    model: str
    precision: str
    textbook: float
    eager: float
    replayed: float
    run: float
    busy: float | None
    graphs: int
    not_captured: str | None = None


@dataclass
class Row:
    """One line of the table: ours beside another's.

    Attributes:
        benchmark: the name that `ONLY` chooses it by.
        work: what is done.
        beside: what it is compared with.
        unit: of `ours` and `theirs`.
        ratio: how many times better ours is; None where an aim is absolute.
        aim: in words, or "" where there is none.
        met: whether the median reaches the aim.
        memory: MiB at most, ours and theirs.
        peak_share: of the machine's measured matrix-multiply peak of that precision, that ours reaches.
        note: anything else that one must know to read the figures.
        steps: of a training on a GPU.
    """

    benchmark: str
    work: str
    beside: str
    unit: str
    ours: Spread
    theirs: Spread | None = None
    ratio: Spread | None = None
    aim: str = ""
    met: bool | None = None
    memory: tuple[float, float] | None = None
    peak_share: float | None = None
    note: str = ""
    steps: StepTimes | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """No bars meanwhile."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)
