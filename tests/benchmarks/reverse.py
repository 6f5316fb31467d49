"""JoeyNMT's reversal task: integers 0 to 49, lengths to 25, an LSTM of 64 with attention."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer

from benchmarks import decoding, training, workloads
from benchmarks.harness import Row, Spread, Timings, alternate, isolated, say
from benchmarks.recipes import Clock, fit, places
from benchmarks.textbook.bahdanau import Bahdanau
from seqlab.decoding import Greedy

SHAPE = ("data=reversal", "model=bahdanau", "model.width=64", "model.embedding=16", "model.dropout=0.1")
TASK = (
    "data=reversal",
    "data.smallest=0",
    "data.largest=49",
    "data.max_length=25",
    "data.val_max_length=30",
    "data.test_max_length=30",
    "data.samples=52000",
    "data.split=[0.9616,0.0192,0.0192]",
)
RECIPE = (  # settings of our own
    "model=luong",
    "model.input_feeding=false",  # all steps attend at once
    "model.width=192",
    "model.embedding=64",
    "data.batch_size=64",
    "optimizer.lr=0.004",
    "scheduler=one_cycle",
    "trainer.max_epochs=3",
    "trainer.gradient_clip_val=1.0",
    "free_running.every_n_epochs=0",
    "callbacks.outlook=null",
)
PUBLISHED = "JoeyNMT: 4,504 tokens/s, 83.2 % exact match after 180 s, decoding 550 sentences/s"


class Accuracy(Clock):
    """Notes seconds from the first step to the end of training, and the share of test sequences said exactly."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing: what counts is the end."""

    @torch.inference_mode()
    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Has the test split said."""
        seconds = time.perf_counter() - self._start
        pl_module.eval()
        right = count = 0
        for batch in trainer.datamodule.evaluation_loader("test"):  # type: ignore[attr-defined]
            found = pl_module.generate(batch.source, batch.source_lengths, Greedy(max_length=32))
            said, meant = found.tokens[:, 0], batch.target[:, 1:]
            for row, length in enumerate(batch.tokens.tolist()):
                same = int(found.lengths[row, 0]) == length - 1
                right += same and torch.equal(said[row, : length - 1], meant[row, : length - 1])
            count += len(batch.source)
        self.seen.append((seconds, right / count))


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows."""
    workloads.reversal()
    trained, said = isolated(_alternate, 0.0 if quick else 10.0)
    ratio, faster = trained.ratio("ours", "textbook"), said.ratio("ours", "loop")
    say("    now settings of our own, to the end")
    seconds, exact = isolated(_train, 1 if quick else None)
    return [
        Row(
            benchmark=name,
            work="reversing 1 to 25 integers of 0 to 49, LSTM 64 with attention, batch 10, training, float32",
            beside="textbook",
            unit="tokens/s",
            ours=trained.rate("ours"),
            theirs=trained.rate("textbook"),
            ratio=ratio,
            aim="≥ 5 ×",
            met=ratio.median >= 5,
            note=PUBLISHED,
        ),
        Row(
            benchmark=name,
            work="the same, decoding",
            beside="textbook, a sequence at a time",
            unit="tokens/s",
            ours=said.rate("ours"),
            theirs=said.rate("loop"),
            ratio=faster,
            aim="≥ 10 ×",
            met=faster.median >= 10,
            note=PUBLISHED,
        ),
        Row(
            benchmark=name,
            work=f"the same, settings of our own, to {exact:.1%} exact match on lengths to 30",
            beside="",
            unit="s",
            ours=Spread.of([seconds]),
            aim="≥ 95 % in < 60 s",
            met=seconds < 60 and exact >= 0.95,
            note=f"settings of our own: `{' '.join(RECIPE)}`",
        ),
    ]


def _alternate(seconds: float) -> tuple[Timings, Timings]:
    """Turns of training, and turns of translating."""
    torch.manual_seed(1)
    pairs = workloads.reversal()
    sizes = pairs.source_size, pairs.target_size
    same = pairs.batches(training.COUNT, 10, sorted_by_length=False)

    def textbook(_: Any) -> Bahdanau:
        return Bahdanau(*sizes, width=64, embedding=16, dropout=0.1, cell="lstm")

    few = {"warmup": 2 if seconds else 0, "least": 3 if seconds else 1}
    sides = {
        "textbook": training.their_step(textbook, pairs, same),
        "ours": training.our_step(SHAPE, pairs, pairs.batches(200, 10, sorted_by_length=True), training.SINGLE),
    }
    trained = alternate(sides, seconds, **few)
    batches = pairs.in_order("test", 256)[:4]
    sides = {
        "loop": decoding.their_loop(textbook(pairs), pairs.some("test", 200)),
        "ours": decoding.our_search(SHAPE, pairs, batches, Greedy(max_length=30)),
    }
    return trained, alternate(sides, seconds, **few)


def _train(epochs: int | None) -> tuple[float, float]:
    """Seconds of training, validations counted, and exact match on test."""
    accuracy = Accuracy()
    shorter = [] if epochs is None else ["trainer.max_epochs=1", "data.samples=1000"]
    with tempfile.TemporaryDirectory() as place:
        fit([*TASK, *RECIPE, *shorter, *places(place)], [accuracy])
    return accuracy.seen[-1]
