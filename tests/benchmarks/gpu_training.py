"""Training steps on a GPU: in a whole run, replayed without the trainer, and eager, beside the textbook's."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from itertools import cycle, islice
from typing import Any, NamedTuple

import torch

from benchmarks import hardware, training, workloads
from benchmarks.harness import Done, Rounds, Row, Side, StepTimes, Timings, isolated, say
from benchmarks.kernels import watched
from benchmarks.recipes import fit, places
from benchmarks.training import HALF, NAMES, SINGLE, WORK, Work
from seqlab.data.batch import Batch
from seqlab.data.module import SequenceData
from seqlab.training.callbacks.capture_policy import SHAPES, CapturePolicy

STEPS = {"run": 20, "replayed": 20, "eager": 8, "textbook": 4, "peer": 4}
"""Steps in a turn, fewer where one takes longer. The run and the replays take all of our batches."""
RUN = (
    *("cuda_graphs=true", "trainer.max_epochs=1", "trainer.max_steps=-1", "+trainer.limit_val_batches=0"),
    *("free_running.every_n_epochs=0", "callbacks.outlook=null"),
)
SLOWER = 1.1
"""How many times as long as in single precision a step in half precision may take."""


def steps_of(side: str) -> int:
    """Steps in a turn: few where it is tried whether a benchmark runs."""
    return STEPS[side] if workloads.few_rows is None else min(2, STEPS[side])


class Kernels:
    """Which kernels torch uses where a setting lets it choose, as it was when this was made."""

    def __init__(self) -> None:
        self._tf32 = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        self._attention = torch.backends.cuda.cudnn_sdp_enabled()

    def choose(self) -> None:
        """Chooses them again."""
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = self._tf32
        torch.backends.cuda.enable_cudnn_sdp(self._attention)

    def side(self, side: Side) -> Side:
        """A side that uses them."""

        def turn_of(turn: int) -> Done | float:
            chosen = Kernels()
            self.choose()
            try:
                return side(turn)
            finally:
                chosen.choose()

        return turn_of


@dataclass
class Feed:
    """Feeds batches to a run, all of them in a turn, and has the other sides take their turns between.

    Attributes:
        kernels: seconds in which kernels ran in one more turn of the run; None where no GPU was watched.
        facts: what the run says of its graphs.
    """

    data: SequenceData
    batches: list[Batch]
    sides: dict[str, Side]
    rounds: Rounds
    kernels: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return (self.rounds.most + 1) * len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        tokens = float(sum(int(batch.tokens.sum()) for batch in self.batches))
        for turn in self.rounds:
            begun = time.perf_counter()
            yield from self.batches
            hardware.synchronize()
            self.rounds.note("run", turn, tokens, time.perf_counter() - begun)
            for name, side in self.sides.items():
                self.rounds.take(name, side, turn)
        with watched(self._note):
            yield from self.batches
        callbacks: list[Any] = self.data.trainer.callbacks  # type: ignore[union-attr, attr-defined]
        self.facts = next(one for one in callbacks if isinstance(one, CapturePolicy)).facts() or {}

    def _note(self, seconds: float) -> None:
        self.kernels = seconds


class Measured(NamedTuple):
    """What was measured of a model in one precision.

    Attributes:
        precision: its name.
        busy: the share of the run's time in which kernels ran.
        facts: what the run says of its graphs.
    """

    precision: str
    timings: Timings
    busy: float | None
    facts: dict[str, Any]

    def milliseconds(self, side: str) -> float:
        """Of a step."""
        return 1000 * self.timings.seconds(side).median / steps_of(side)


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows: for each precision, beside the textbook and beside the peer if there is one."""
    work = WORK[name]
    work.pairs()  # read here, once for all processes that are forked
    import_module(work.peer_module)
    rows: list[Row] = []
    single = math.inf
    for precision in training.precisions():
        measured = isolated(_alternate, name, precision, 0.0 if quick else 4.0)
        say(f"    {measured.precision}: {len(measured.timings)} turns each")
        run = measured.milliseconds("run")
        row = _row(name, measured, "textbook")
        row.steps = _step_times(name, measured)
        if precision == SINGLE:
            single = run
            row.aim, row.met = f"≤ {work.gpu_milliseconds:g} ms a step", run <= work.gpu_milliseconds
        else:
            row.aim, row.met = f"≤ {SLOWER:g} × the time in single precision", run <= SLOWER * single
        rows.append(row)
        if work.peer is not None:
            rows.append(_row(name, measured, "peer"))
    return rows


def _row(name: str, measured: Measured, other: str) -> Row:
    work = WORK[name]
    return Row(
        benchmark=name,
        work=f"training {work.title}, {work.pairs().name}, {measured.precision}, a run",
        beside="textbook" if other == "textbook" else work.peer_name,
        unit="tokens/s",
        ours=measured.timings.rate("run"),
        theirs=measured.timings.rate(other),
        ratio=measured.timings.ratio("run", other),
        note=f"{measured.milliseconds('run'):.1f} and {measured.milliseconds(other):.1f} ms a step",
    )


def _step_times(name: str, measured: Measured) -> StepTimes:
    return StepTimes(
        model=name,
        precision=measured.precision,
        **{side: measured.milliseconds(side) for side in ("textbook", "eager", "replayed", "run")},
        busy=measured.busy,
        graphs=measured.facts.get("graphs", 0),
        not_captured=measured.facts.get("not_captured"),
    )


def _alternate(name: str, precision: str, seconds: float) -> Measured:
    """The turns of a run and of all that is beside it."""
    torch.manual_seed(1)
    work, usual = WORK[name], Kernels()
    with watched(lambda seconds: None):
        pass  # graphs whose kernels are to be seen must be captured after the profiler's first start
    pairs = work.pairs()
    batches = _our_batches(pairs.data)
    rounds = Rounds(seconds, warmup=3 if seconds else 0, least=3 if seconds else 1, most=60)
    feed = Feed(pairs.data, batches, _sides(work, batches, precision, usual), rounds)
    half = [f"trainer.precision={HALF}"] if precision == HALF else []

    def prepare(data: Any, model: Any, config: Any) -> None:
        data.train_dataloader = lambda: feed

    with tempfile.TemporaryDirectory() as place:
        fit([*work.overrides, *RUN, *half, *places(place)], [], prepare, data=pairs.data)
    timings = rounds.timings()
    busy = None if feed.kernels is None else feed.kernels / timings.seconds("run").median
    tf32 = hardware.on_gpu() and precision == SINGLE and torch.backends.cuda.matmul.allow_tf32
    return Measured("tf32" if tf32 else NAMES[precision], timings, busy, feed.facts)


def _our_batches(data: SequenceData) -> list[Batch]:
    """Of similar lengths, padded as for captured steps."""
    loader = data.training_batches()
    loader.round_lengths(SHAPES)
    few = workloads.few_rows
    return [Batch(*(field[:few] for field in batch)) for batch in islice(cycle(loader), steps_of("run"))]


def _sides(work: Work, batches: list[Batch], precision: str, usual: Kernels) -> dict[str, Side]:
    """Ours outside the trainer, and the others with the kernels that torch takes as it comes."""
    pairs = work.pairs()
    same = pairs.batches(training.COUNT, work.size, sorted_by_length=False)
    our_step, their_step = partial(training.our_step, work.overrides, pairs, batches, precision), training.their_step
    sides = {
        "replayed": our_step(steps_of("replayed"), captured=True),
        "eager": our_step(steps_of("eager")),
        "textbook": usual.side(their_step(work.textbook, pairs, same, work.adam, steps_of("textbook"))),
    }
    if work.peer is not None:
        sides["peer"] = usual.side(their_step(work.peer, pairs, same, work.adam, steps_of("peer")))
    return sides
