"""JoeyNMT's reversal task: integers 0 to 49, lengths to 25, an LSTM of 64 with Luong's attention."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer

from benchmarks import decoding, hardware, training, workloads
from benchmarks.harness import Row, Spread, Timings, alternate, isolated, say
from benchmarks.recipes import Clock, fit, places
from benchmarks.textbook.luong import Luong
from seqlab.decoding import Greedy

SHAPE = ("data=reversal", "model=luong", "model.width=64", "model.embedding=16", "model.dropout=0.1")
AT_ONCE = "model.input_feeding=false"  # all steps attend at once
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
UNDISTURBED = ("trainer.gradient_clip_val=1.0", "free_running.every_n_epochs=0", "callbacks.outlook=null")
THEIR_RECIPE = (*SHAPE[1:], AT_ONCE, "data.batch_size=10", "optimizer.lr=0.001", "trainer.max_epochs=1", *UNDISTURBED)
RECIPE = (  # settings of our own
    "model=luong",
    AT_ONCE,
    "model.width=192",
    "model.embedding=64",
    "data.batch_size=64",
    "optimizer.lr=0.004",
    "scheduler=one_cycle",
    "trainer.max_epochs=3",
    *UNDISTURBED,
)
PUBLISHED_EXACT = 0.832  # on test after an epoch
PUBLISHED = f"JoeyNMT: 4,504 tokens/s, {PUBLISHED_EXACT:.1%} exact match after 180 s, decoding 550 sentences/s"


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
            batch = batch.to(pl_module.device)
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
    fewer = ("data.samples=1000", "trainer.max_epochs=1") if quick else ()
    say("    now an epoch at batch 10")
    _, after_one = isolated(_train, (*THEIR_RECIPE, *fewer))
    say("    now settings of our own, to the end")
    seconds, exact = isolated(_train, (*RECIPE, *fewer))
    faster = said.ratio("ours", "loop")
    return [
        _training_row(name, trained, "fed", ", input feeding", PUBLISHED),
        _training_row(
            name,
            trained,
            "at_once",
            "",
            f"without input feeding {after_one:.1%} exact match on test after an epoch at learning rate 0.001",
            after_one,
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


def _training_row(name: str, trained: Timings, side: str, how: str, note: str, exact: float | None = None) -> Row:
    """Beside the textbook, which has input feeding. The aim is for a model that comes to the published exact match."""
    ratio = trained.ratio(side, "textbook")
    return Row(
        benchmark=name,
        work=f"reversing 1 to 25 integers of 0 to 49, LSTM 64 with attention{how}, batch 10, training, float32",
        beside="textbook, input feeding",
        unit="tokens/s",
        ours=trained.rate(side),
        theirs=trained.rate("textbook"),
        ratio=ratio,
        aim="" if exact is None else f"≥ 5 ×, {PUBLISHED_EXACT:.1%} exact match",
        met=None if exact is None else ratio.median >= 5 and exact >= PUBLISHED_EXACT,
        note=note,
    )


def _alternate(seconds: float) -> tuple[Timings, Timings]:
    """Turns of training, and turns of translating."""
    torch.manual_seed(1)
    pairs = workloads.reversal()
    same = pairs.batches(training.COUNT, 10, sorted_by_length=False)
    own = pairs.batches(200, 10, sorted_by_length=True)

    def textbook(_: Any) -> Luong:
        return Luong(pairs.source_size, pairs.target_size, width=64, embedding=16, dropout=0.1)

    few = {"warmup": 2 if seconds else 0, "least": 3 if seconds else 1}
    sides = {
        "textbook": training.their_step(textbook, pairs, same),
        "fed": training.our_step(SHAPE, pairs, own, training.SINGLE, captured=hardware.on_gpu()),
        "at_once": training.our_step((*SHAPE, AT_ONCE), pairs, own, training.SINGLE, captured=hardware.on_gpu()),
    }
    trained = alternate(sides, seconds, **few)
    batches = pairs.in_order("test", 256)[:4]
    sides = {
        "loop": decoding.their_loop(textbook(pairs), pairs.some("test", 200)),
        "ours": decoding.our_search(SHAPE, pairs, batches, Greedy(max_length=30)),
    }
    return trained, alternate(sides, seconds, **few)


def _train(recipe: tuple[str, ...]) -> tuple[float, float]:
    """Seconds of training, validations counted, and exact match on test."""
    accuracy = Accuracy()
    with tempfile.TemporaryDirectory() as place:
        fit([*TASK, *recipe, *places(place)], [accuracy])
    return accuracy.seen[-1]
