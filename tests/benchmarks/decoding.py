"""Translating a test set, beside a plain loop that takes a sentence at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks import hardware, training, workloads
from benchmarks.harness import Done, Row, Side, Timings, alternate, isolated, say
from benchmarks.workloads import Pairs
from seqlab.data.batch import Batch
from seqlab.decoding import Beam, Greedy, Search, Step
from seqlab.decoding.hypotheses import Selectable
from seqlab.special_tokens import EOS

NEEDED = 567  # tokens a second of published code, a sentence at a time
ARCHITECTURES = ("bahdanau", "luong", "context_gru", "lstm", "transformer")
PLAIN = ("bahdanau", "luong", "context_gru", "lstm")  # those that the loop is written for
BEAMS = ("bahdanau", "transformer")
SENTENCES = 8
"""That the plain loop translates in a turn."""


@dataclass(frozen=True)
class Ending:
    """A decoder's state, and how many tokens each row still has to say before it ends.

    Weights that are not trained would never say EOS. So every output is made as long as its reference.
    """

    state: Selectable
    left: Tensor

    def select(self, rows: Tensor) -> Ending:
        """Of these rows, in this order."""
        return Ending(self.state.select(rows), self.left[rows])


def ending(step: Step) -> Step:
    """`step`, but EOS comes exactly when it is due."""

    def one(tokens: Tensor, state: Any) -> tuple[Tensor, Ending]:
        logits, following = step(tokens, state.state)
        logits[:, EOS] = torch.where(state.left == 0, 1e4, -1e4)
        return logits, Ending(following, state.left - 1)

    return one


def our_search(overrides: tuple[str, ...], pairs: Pairs, batches: list[Batch], search: Search) -> Side:
    """Ours over all batches in a turn."""
    model = training.our_model(overrides, pairs).to(hardware.device()).eval()
    tokens = float(sum(int(batch.tokens.sum()) for batch in batches))
    batches = [batch.to(hardware.device()) for batch in batches]

    @torch.inference_mode()
    def translate(turn: int) -> Done:
        for batch in batches:
            step, state, start = model.begin(batch.source, batch.source_lengths)
            found = search(ending(step), Ending(state, batch.tokens - 1), start)
            assert torch.equal(found.lengths[:, 0], batch.tokens - 1)
        return Done(tokens)

    return translate


def their_loop(module: Any, batch: Batch, sentences: int = SENTENCES) -> Side:
    """The textbook's, some sentences a turn."""
    module.to(hardware.device()).eval()
    batch = batch.to(hardware.device())

    def translate(turn: int) -> Done:
        said = 0
        for row in range(turn * sentences, (turn + 1) * sentences):
            row %= len(batch.source)
            source = batch.source[row, : batch.source_lengths[row]]
            said += len(module.translate(source, int(batch.tokens[row])))
        return Done(said)

    return translate


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows."""
    pairs = workloads.multi30k()
    rows = []
    for architecture in ARCHITECTURES:
        say(f"    {architecture}")
        timings = isolated(_alternate, architecture, 0.0 if quick else 8.0)
        if architecture in PLAIN:
            rows.append(_beside_the_loop(name, architecture, pairs, timings, peaks))
        if architecture in BEAMS:
            slower = timings.ratio("greedy", "beam")
            rows.append(
                Row(
                    benchmark=name,
                    work=f"translating the test set with `{architecture}`, {pairs.name}: beam of 5",
                    beside="our greedy search",
                    unit="tokens/s",
                    ours=timings.rate("beam"),
                    theirs=timings.rate("greedy"),
                    ratio=timings.ratio("beam", "greedy"),
                    aim="≥ 1/4 ×",
                    met=slower.median <= 4,
                    note=f"takes {slower.median:.1f} times as long as greedy search",
                )
            )
    return rows


def _beside_the_loop(name: str, architecture: str, pairs: Pairs, timings: Timings, peaks: dict[str, float]) -> Row:
    ratio, reached = timings.ratio("greedy", "loop"), timings.rate("loop").median
    counts = "" if hardware.on_gpu() else training.counts(reached, NEEDED, peaks["float32"])
    return Row(
        benchmark=name,
        work=f"translating the test set with `{architecture}`, {pairs.name}: greedy",
        beside="textbook, a sentence at a time",
        unit="tokens/s",
        ours=timings.rate("greedy"),
        theirs=timings.rate("loop"),
        ratio=ratio,
        aim="≥ 20 ×",
        met=ratio.median >= 20,
        note=counts and f"`{architecture}`, the loop: {counts}",
    )


def _alternate(architecture: str, seconds: float) -> Timings:
    torch.manual_seed(1)
    work = training.WORK[architecture]
    pairs = work.pairs()
    batches = pairs.in_order("test", 256)
    longest = pairs.longest()[1]
    sides = {"greedy": our_search(work.overrides, pairs, batches, Greedy(max_length=longest))}
    if architecture in PLAIN:
        sides["loop"] = their_loop(work.textbook(pairs), pairs.some("test", 200))
    if architecture in BEAMS:
        sides["beam"] = our_search(work.overrides, pairs, batches, Beam(max_length=longest, size=5))
    return alternate(sides, seconds, warmup=1 if seconds else 0, least=3 if seconds else 1)
