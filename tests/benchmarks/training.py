"""Training steps, beside the same model written step by step and beside what installs from the package index."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import nn

from benchmarks import hardware, workloads
from benchmarks.harness import Done, Row, Side, Timings, alternate, isolated, peak_memory, say
from benchmarks.peers.hugging_face import GPT2
from benchmarks.peers.torch_nn import Translator
from benchmarks.textbook.bahdanau import Bahdanau
from benchmarks.textbook.context_gru import ContextGRU
from benchmarks.textbook.conv import Conv
from benchmarks.textbook.fixed_vector import Seq2SeqLSTM
from benchmarks.textbook.gpt import GPT
from benchmarks.textbook.luong import Luong
from benchmarks.textbook.transformer import Transformer
from benchmarks.workloads import Pairs
from seqlab.config.component import Component
from seqlab.data.batch import Batch
from seqlab.models.training_module import TrainingModule
from seqlab.training.callbacks.precision import has_bf16
from seqlab.training.captured_steps import CapturedSteps
from seqlab.training.dry_run import count_flops

SINGLE, HALF = "32-true", "bf16-mixed"
NAMES = {SINGLE: "float32", HALF: "bf16"}
TYPES = {SINGLE: torch.float32, HALF: torch.bfloat16}
PUBLISHED_PEAK = 345e9  # of float32 products, where published code was measured
COUNT = 40
"""Batches that turns go round."""


@functools.cache
def precisions() -> tuple[str, ...]:
    """In what ours is measured: half precision only on devices that have it, for elsewhere a step takes minutes."""
    return (SINGLE, HALF) if isolated(has_bf16, hardware.device()) else (SINGLE,)


def bare_trainer(**settings: Any) -> Trainer:
    """Lightning's trainer without loggers, checkpoints and bar."""
    return Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, **settings)


def our_model(overrides: tuple[str, ...], pairs: Pairs) -> TrainingModule:
    """seqlab's model of a command line."""
    return workloads.model_of(workloads.settings(*overrides), pairs.source_size, pairs.target_size)


def our_step(
    overrides: tuple[str, ...],
    pairs: Pairs,
    batches: list[Batch],
    precision: str,
    steps: int = 1,
    captured: bool = False,
) -> Side:
    """Training steps of seqlab's, as its trainer makes them but without the trainer.

    Args:
        steps: how many a turn has.
        captured: whether they are captured and replayed, as `cuda_graphs=true` does.
    """
    model, config = our_model(overrides, pairs).to(hardware.device()), workloads.settings(*overrides)
    optimizer = Component.of(config.optimizer, "optimizer").build()(list(model.named_parameters()))
    return _steps(model, optimizer, batches, precision, steps, CapturedSteps(model, lambda: 1) if captured else None)


def their_step(
    make: Callable[[Pairs], Any],
    pairs: Pairs,
    batches: list[Batch],
    adam: type = torch.optim.Adam,
    steps: int = 1,
) -> Side:
    """Training steps of a module that has a `loss`, with torch's optimizer as it comes; `steps` in a turn."""
    module = make(pairs).to(hardware.device())
    return _steps(module, adam(module.parameters(), lr=1e-3), batches, SINGLE, steps)


def _steps(
    module: Any,
    optimizer: torch.optim.Optimizer,
    batches: list[Batch],
    precision: str,
    steps: int,
    captured: CapturedSteps | None = None,
) -> Side:
    parameters = [p for p in module.parameters() if p.requires_grad]
    module.train()
    tokens = [float(batch.tokens.sum()) for batch in batches]
    batches = [batch.to(hardware.device()) for batch in batches]

    def step(batch: Batch) -> None:
        optimizer.zero_grad()
        with torch.autocast(hardware.device().type, torch.bfloat16, enabled=precision == HALF):
            loss = module.loss(batch) if captured is None else captured.losses(batch).objective
        loss.backward() if captured is None else captured.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    def turn_of(turn: int) -> Done:
        chosen = [number % len(batches) for number in range(turn * steps, (turn + 1) * steps)]
        for number in chosen:
            step(batches[number])
        return Done(sum(tokens[number] for number in chosen))

    return turn_of


@dataclass(frozen=True)
class Work:
    """What is trained, and what beside it.

    Attributes:
        overrides: the command line of ours.
        pairs: the data.
        size: examples a batch.
        textbook: makes the textbook's module.
        aims: times the textbook's rate, in float32 and in bf16.
        needed: tokens a second that the textbook must reach within 15 % to count, as published code reached them.
        peer, peer_name, peer_aims: something else that installs from the package index, in float32, and times its rate
            by the precision of ours.
        peer_module: what to import for it beforehand, so that it does not count as memory of its own.
        adam: the optimizer of the others.
        sorted: whether our own batches are any different from theirs.
        gpu_milliseconds: of a step of a whole run on a GPU at most, where it is an H200 or as fast.
    """

    title: str
    overrides: tuple[str, ...]
    pairs: Callable[[], Pairs]
    textbook: Callable[[Pairs], Any]
    aims: dict[str, float] = field(default_factory=dict)
    size: int = 128
    needed: float | None = None
    peer: Callable[[Pairs], Any] | None = None
    peer_name: str = ""
    peer_aims: dict[str, float] = field(default_factory=dict)
    peer_module: str = "torch"
    adam: type = torch.optim.Adam
    sorted: bool = True
    seconds: float = 24.0
    gpu_milliseconds: float = math.inf


def _sizes(pairs: Pairs) -> tuple[int, int]:
    return pairs.source_size, pairs.target_size


def _gpt(pairs: Pairs) -> GPT:
    return GPT(pairs.target_size, width=128, heads=4, layers=4, block=64, dropout=0.0)


def _gpt2(pairs: Pairs) -> GPT2:
    return GPT2(pairs.target_size, width=128, heads=4, layers=4, block=64)


WORK = {
    "bahdanau": Work(
        "`bahdanau`, bi-GRU 512",
        ("experiment=multi30k_bahdanau", "model.width=512"),
        workloads.multi30k,
        lambda pairs: Bahdanau(*_sizes(pairs), width=512, embedding=256, dropout=0.3),
        {SINGLE: 3.0, HALF: 6.0},
        needed=719,
        seconds=30.0,
        gpu_milliseconds=8.0,
    ),
    "lstm": Work(
        "`lstm`, 2 layers of 512",
        ("experiment=multi30k_lstm",),
        workloads.multi30k,
        lambda pairs: Seq2SeqLSTM(*_sizes(pairs), width=512, embedding=256, layers=2, dropout=0.3),
        {SINGLE: 2.5, HALF: 4.0},
        needed=1672,
        gpu_milliseconds=4.0,
    ),
    "context_gru": Work(
        "`context_gru`, 512",
        ("experiment=multi30k_context_gru",),
        workloads.multi30k,
        lambda pairs: ContextGRU(*_sizes(pairs), width=512, embedding=256, dropout=0.3),
        {SINGLE: 2.5, HALF: 4.0},
        needed=1849,
        gpu_milliseconds=3.0,
    ),
    "luong": Work(
        "`luong`, LSTM 512",
        ("experiment=multi30k_luong",),
        workloads.multi30k,
        lambda pairs: Luong(*_sizes(pairs), width=512, embedding=256, dropout=0.3),
        {SINGLE: 2.5, HALF: 4.0},
        gpu_milliseconds=8.0,
    ),
    "conv": Work(
        "`conv`, 4 + 4 layers of 256",
        ("experiment=multi30k_conv",),
        workloads.multi30k,
        lambda pairs: Conv(*_sizes(pairs), width=256, embedding=256, layers=4, dropout=0.2),
        gpu_milliseconds=5.0,
    ),
    "transformer": Work(
        "`transformer`, 3 + 3 layers of 256",
        ("experiment=multi30k_transformer",),
        workloads.multi30k,
        lambda pairs: Transformer(*_sizes(pairs)),
        {SINGLE: 1.5, HALF: 3.0},
        needed=3106,
        peer=lambda pairs: Translator(*_sizes(pairs)),
        peer_name="torch.nn.Transformer",
        peer_aims={SINGLE: 1.0},
        gpu_milliseconds=5.0,
    ),
    "gpt": Work(
        "`gpt`, 4 layers of 128, block 64, batch 12",
        ("experiment=shakespeare_char",),
        workloads.shakespeare,
        _gpt,
        size=12,
        needed=12 * 64 / 0.0306,
        peer=_gpt2,
        peer_name="Hugging Face GPT-2",
        peer_aims={HALF: 1.6},  # what trainer.precision=auto takes where it is the faster
        peer_module="transformers.models.gpt2.modeling_gpt2",
        adam=torch.optim.AdamW,
        sorted=False,
        seconds=12.0,
        gpu_milliseconds=2.5,
    ),
}


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows."""
    work = WORK[name]
    work.pairs()  # read here, once for all processes that are forked
    import_module(work.peer_module)
    timings, flops = isolated(_alternate, name, 0.0 if quick else work.seconds)
    say(f"    {len(timings)} turns each")
    sides = _factories(work)
    memory = {side: isolated(_memory, name, side) for side in sides if "own" not in side}
    rows = []
    for side in (side for side in sides if side not in ("textbook", "peer")):
        row = _row(name, timings, memory, side, "textbook")
        row.note = _counts(work, timings, peaks["float32"])
        if side.endswith("same"):
            row.peak_share = flops / timings.seconds(side).median / peaks[NAMES[side.split()[0]]]
        rows.append(row)
    for side in (f"{precision} same" for precision in precisions()) if work.peer is not None else ():
        row = _row(name, timings, memory, side, "peer")
        row.note = f"{_milliseconds(timings, side)} and {_milliseconds(timings, 'peer')} ms a step"
        rows.append(row)
    return rows


def _row(name: str, timings: Timings, memory: dict[str, float], side: str, other: str) -> Row:
    """A side of ours beside the textbook or the peer; aims and memory are of the same batches."""
    work, (precision, batches) = WORK[name], side.split()
    same = batches == "same"
    aims = work.aims if other == "textbook" else work.peer_aims
    ratio, aim = timings.ratio(side, other), aims.get(precision) if same else None
    return Row(
        benchmark=name,
        work=f"training {work.title}, {work.pairs().name}, {NAMES[precision]}, {_batches(work, same)}",
        beside="textbook" if other == "textbook" else work.peer_name,
        unit="tokens/s",
        ours=timings.rate(side),
        theirs=timings.rate(other),
        ratio=ratio,
        aim=f"≥ {aim:g} ×" if aim else "",
        met=ratio.median >= aim if aim else None,
        memory=(memory[side], memory[other]) if same else None,
    )


def _milliseconds(timings: Timings, side: str) -> str:
    return f"{1000 * timings.seconds(side).median:.1f}"


def _batches(work: Work, same: bool) -> str:
    if not work.sorted:
        return "same batches"
    return "same random batches" if same else "each its own batches"


def _counts(work: Work, timings: Timings, peak: float) -> str:
    """Whether the textbook is worth being compared with: published code was measured at another float32 peak."""
    if work.needed is None:
        return ""
    return "textbook: " + counts(timings.rate("textbook").median, work.needed, peak)


def counts(reached: float, published: float, peak: float) -> str:
    """A rate beside the published one, and beside that part of it which a slower machine could reach."""
    needed = published * min(1.0, peak / PUBLISHED_PEAK)
    verdict = "counts" if reached >= 0.85 * needed else "does not count"
    return (
        f"{reached:,.0f} tokens/s; published code {published:,.0f} where products reach"
        f" {PUBLISHED_PEAK / 1e9:.0f} GFLOP/s, so {needed:,.0f} here: {verdict}"
    )


def _factories(work: Work) -> dict[str, Callable[[], Side]]:
    """What makes each side: the textbook first, ours in both precisions, on the same batches and on its own."""
    pairs = work.pairs()
    same = pairs.batches(COUNT, work.size, sorted_by_length=False)
    own = pairs.batches(COUNT, work.size, sorted_by_length=True) if work.sorted else None
    sides: dict[str, Callable[[], Side]] = {"textbook": partial(their_step, work.textbook, pairs, same, work.adam)}
    if work.peer is not None:
        sides["peer"] = partial(their_step, work.peer, pairs, same, work.adam)
    for precision in precisions():
        sides[f"{precision} same"] = partial(our_step, work.overrides, pairs, same, precision)
        if own is not None:
            sides[f"{precision} own"] = partial(our_step, work.overrides, pairs, own, precision)
    return sides


def _alternate(name: str, seconds: float) -> tuple[Timings, float]:
    """The turns, and the floating-point operations that ours needs for a step of the same batches."""
    work = WORK[name]
    pairs = work.pairs()
    torch.manual_seed(1)
    batches = pairs.batches(2, work.size, sorted_by_length=False)
    model = our_model(work.overrides, pairs)
    flops = [count_flops(model, batch) for batch in batches]
    sides = {side: make() for side, make in _factories(work).items()}
    return alternate(sides, seconds, warmup=2 if seconds else 0, least=3 if seconds else 1), sum(flops) / len(flops)


def _memory(name: str, side: str) -> float:
    return peak_memory(_factories(WORK[name])[side])
