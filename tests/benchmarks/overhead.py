"""What the trainer adds to a step: a run with callbacks, logging and progress beside a bare loop."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Iterator

from lightning.pytorch import Trainer
from omegaconf import DictConfig

from benchmarks.harness import Row, Timings, isolated
from benchmarks.recipes import fit, places
from seqlab.data.batch import Batch
from seqlab.data.loader import BatchLoader
from seqlab.data.module import SequenceData
from seqlab.models.base import Seq2Seq
from seqlab.training.build import build

WARMUP = 20
RUN = (  # one epoch long enough for all steps, and no validation between them
    "experiment=reversal_bahdanau",
    "data.samples=60000",
    "data.split=[0.9,0.05,0.05]",
    "+trainer.limit_val_batches=0",
    "callbacks.outlook=null",
)


class Beside(BatchLoader):
    """Hands each batch to the trainer, and when it asks for the next gives the same one to the bare loop.

    What the trainer takes from one batch to the next is its step, whatever it does there.
    """

    def __init__(self, loader: BatchLoader, model: Seq2Seq, config: DictConfig) -> None:
        self.__dict__.update(loader.__dict__)
        self.turns: dict[str, list[tuple[float, float]]] = {"trainer": [], "bare": []}
        self._model = copy.deepcopy(model)
        self._model.trainer = Trainer(
            accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
        )
        self._optimizer = build(config.optimizer, "optimizer")(list(self._model.named_parameters()))

    def __iter__(self) -> Iterator[Batch]:
        for batch in super().__iter__():
            start = time.perf_counter()
            yield batch
            middle = time.perf_counter()
            self._optimizer.zero_grad()
            self._model.loss(batch).backward()
            self._optimizer.step()
            end = time.perf_counter()
            self.turns["trainer"].append((1.0, middle - start))
            self.turns["bare"].append((1.0, end - middle))


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows."""
    timings, mean = isolated(_train, WARMUP + (3 if quick else 400))
    added = timings.difference("trainer", "bare").times(1000)
    return [
        Row(
            benchmark=name,
            work="a training step of `reversal_bahdanau` with callbacks, progress bar and logging",
            beside="a bare loop over the same module and batches",
            unit="ms",
            ours=timings.seconds("trainer").times(1000),
            theirs=timings.seconds("bare").times(1000),
            ratio=None,
            aim="≤ 1 ms more",
            met=added.median <= 1.0,
            note=f"the trainer adds {added.median:.2f} ms ({added.low:.2f} to {added.high:.2f}) a step, {mean:.2f} ms"
            " in the mean, what is written every 50 steps included",
        )
    ]


def _train(steps: int) -> tuple[Timings, float]:
    """The turns, and by how many milliseconds their means differ without the slowest twentieth of them."""
    loaders: list[Beside] = []

    def prepare(data: SequenceData, model: Seq2Seq, config: DictConfig) -> None:
        def watched() -> Beside:
            loaders.append(Beside(data.training_batches(), model, config))
            return loaders[-1]

        data.train_dataloader = watched  # type: ignore[method-assign, assignment]

    with tempfile.TemporaryDirectory() as place:
        fit([*RUN, f"trainer.max_steps={steps}", *places(place)], [], prepare)
    turns = {side: own[WARMUP:] for side, own in max(loaders, key=lambda one: len(one.turns["bare"])).turns.items()}
    usual = sorted(its[1] - bare[1] for its, bare in zip(turns["trainer"], turns["bare"], strict=True))
    usual = usual[: len(usual) - len(usual) // 20]
    return Timings(turns), 1000 * sum(usual) / len(usual)
