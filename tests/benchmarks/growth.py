"""What a token costs as batches, sequences, vocabularies and texts grow."""

from __future__ import annotations

import tempfile
import time

import numpy as np
import torch

from benchmarks import training, workloads
from benchmarks.harness import Row, Side, Spread, Timings, alternate, isolated, most_memory, say, silence
from benchmarks.workloads import Pairs
from seqlab.config.component import Component
from seqlab.config.data_and_model import build_data
from seqlab.data.batch import Examples

SERIES = {
    "batch": (16, 64, 256),
    "length": (8, 16, 32, 64),
    "vocabulary": (1000, 4000, 16000),
}
USUAL = {"batch": 64, "length": 16, "vocabulary": 4000}
MODELS = {
    "lstm": ("model=lstm", "model.width=256"),
    "bahdanau": ("model=bahdanau", "model.width=256", "model.cell=gru"),
    "transformer": ("model=transformer",),
}
MOST = {"batch": 1.1, "length": 2.0, "vocabulary": 16.0}
"""By how much a token may cost more at the largest than at the smallest: of lengths attention makes it grow."""
CORPORA = (500_000, 8_000_000)  # characters


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows."""
    rows = []
    for model in MODELS:
        for axis, values in SERIES.items():
            rows.append(_row(name, model, axis, isolated(_alternate, model, axis, 0.0 if quick else 5.0)))
            say(f"    {model} {axis} {', '.join(map(str, values))}")
    return [*rows, *_corpus_rows(name, quick)]


def _row(name: str, model: str, axis: str, timings: Timings) -> Row:
    first, last = (str(value) for value in (SERIES[axis][0], SERIES[axis][-1]))
    costs = {str(value): timings.rate(str(value)) for value in SERIES[axis]}
    slower = timings.ratio(first, last)
    series = ", ".join(f"{1e6 / rate.median:.1f} µs at {value}" for value, rate in costs.items())
    return Row(
        benchmark=name,
        work=f"a training step of `{model}` of 256 at {axis} {last}",
        beside=f"at {axis} {first}",
        unit="tokens/s",
        ours=costs[last],
        theirs=costs[first],
        ratio=timings.ratio(last, first),
        aim=f"≥ 1/{MOST[axis]:g} ×",
        met=slower.median <= MOST[axis],
        note=f"`{model}`, a token: {series}",
    )


def _alternate(model: str, axis: str, seconds: float) -> Timings:
    torch.manual_seed(1)
    sides = {str(value): _side(model, **{**USUAL, axis: value}) for value in SERIES[axis]}
    return alternate(sides, seconds, warmup=1 if seconds else 0, least=3 if seconds else 1)


def _side(model: str, batch: int, length: int, vocabulary: int) -> Side:
    ids = np.random.default_rng(1).integers(4, vocabulary, (2, batch, length)).tolist()
    examples = Examples.of(zip(*ids, strict=True))
    pairs = Pairs("made up", {"train": examples}, vocabulary, vocabulary)
    return training.our_step(MODELS[model], pairs, [examples.batch(np.arange(batch))], training.SINGLE)


def _corpus_rows(name: str, quick: bool) -> list[Row]:
    sizes = [size // 20 for size in CORPORA] if quick else CORPORA
    for size in sizes:
        workloads.made_up_text(size)
    (small, small_rate), (large, large_rate) = (isolated(_corpus, size) for size in sizes)
    grown = f"{sizes[1]:,} characters of text"
    return [
        Row(
            benchmark=name,
            work=f"memory to read {grown} and draw batches from them",
            beside=f"{sizes[0]:,} characters",
            unit="MiB",
            ours=Spread.of([large]),
            theirs=Spread.of([small]),
            aim="≤ 64 MiB more",
            met=large - small <= 64,
        ),
        Row(
            benchmark=name,
            work=f"reading {grown}",
            beside=f"{sizes[0]:,} characters",
            unit="characters/s",
            ours=Spread.of([large_rate]),
            theirs=Spread.of([small_rate]),
            ratio=Spread.of([large_rate / small_rate]),
            aim="≥ 0.9 ×",
            met=large_rate >= 0.9 * small_rate,
        ),
    ]


def _corpus(size: int) -> tuple[float, float]:
    """MiB at most while a text is read and batches are drawn, and characters read a second."""
    before, start = most_memory(), time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        text = workloads.made_up_text(size)
        config = workloads.settings("experiment=shakespeare_char", f"data.path={text}", f"data.cache={place}")
        with silence():
            data = build_data(Component.of(config.data, "data"))
        seconds = time.perf_counter() - start
        for _, batch in zip(range(200), data.training_batches(), strict=False):
            assert len(batch.target)
        return most_memory() - before, size / seconds
