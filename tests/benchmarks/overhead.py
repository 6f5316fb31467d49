"""What the trainer adds to a step: a run with callbacks, logging and progress beside a bare loop."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Iterator

from omegaconf import DictConfig

from benchmarks.harness import Row, Spread, Timings, isolated
from benchmarks.recipes import fit, places
from benchmarks.training import bare_trainer
from seqlab.config.component import Component
from seqlab.data.batch import Batch
from seqlab.data.loader import BatchLoader
from seqlab.data.module import SequenceData
from seqlab.models.base import Seq2Seq

WARMUP = 20
RUN = (  # one epoch long enough for all steps, no validation between them, and so small that the trainer stands out
    "experiment=reversal_bahdanau",
    "model.width=8",
    "model.embedding=8",
    "data.batch_size=4",
    "data.samples=6000",
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
        self._model.trainer = bare_trainer()
        self._optimizer = Component.of(config.optimizer, "optimizer").build()(list(self._model.named_parameters()))

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
    steps = WARMUP + (3 if quick else 800)
    timings, plain = isolated(_run, steps), isolated(_run, steps, True)
    (added, mean), (least, _) = _added(timings), _added(plain)
    return [
        Row(
            benchmark=name,
            work="a training step of a tiny `reversal_bahdanau` with callbacks, progress bar and logging",
            beside="a bare loop over the same module and batches",
            unit="ms",
            ours=timings.seconds("trainer").times(1000),
            theirs=timings.seconds("bare").times(1000),
            aim="≤ 1 ms more",
            met=added.median <= 1.0,
            note=f"the trainer adds {added.median:.2f} ms ({added.low:.2f} to {added.high:.2f}) a step, {mean:.2f} ms"
            " in the mean, what is written every 50 steps included; Lightning's trainer without callbacks, bar and"
            f" loggers adds {least.median:.2f} ms ({least.low:.2f} to {least.high:.2f})",
        )
    ]


def _added(timings: Timings) -> tuple[Spread, float]:
    """Milliseconds that the trainer adds to a step: their spread, and the mean without the slowest twentieth."""
    usual = sorted(timings.differences("trainer", "bare"))
    usual = usual[: len(usual) - len(usual) // 20]
    return timings.difference("trainer", "bare").times(1000), 1000 * sum(usual) / len(usual)


def _run(steps: int, plain: bool = False) -> Timings:
    """The turns of a run: as `seqlab-train` makes it, or by Lightning's trainer alone."""
    loaders: list[Beside] = []

    def prepare(data: SequenceData, model: Seq2Seq, config: DictConfig) -> None:
        def watched() -> Beside:
            loaders.append(Beside(data.training_batches(), model, config))
            return loaders[-1]

        data.train_dataloader = watched  # type: ignore[method-assign, assignment]

    with tempfile.TemporaryDirectory() as place:
        run = [*RUN, f"trainer.max_steps={steps}", *places(place)]
        fit(run, [], prepare, bare_trainer(max_steps=steps, limit_val_batches=0) if plain else None)
    seen = max(loaders, key=lambda one: len(one.turns["bare"])).turns
    return Timings({side: turns[WARMUP:] for side, turns in seen.items()})
