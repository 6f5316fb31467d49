"""How soon a small GPT knows Shakespeare as well as the published recipe does in the end."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything

from benchmarks import hardware, training, workloads
from benchmarks.harness import Row, Spread, alternate, isolated, say
from benchmarks.workloads import CACHE, folder
from seqlab.config.data_and_model import build_data, build_model
from seqlab.config.hydra_run import HydraRun
from seqlab.config.search_settings import build_search
from seqlab.config.settings import read_train
from seqlab.data.module import SequenceData
from seqlab.models.objective import Objective
from seqlab.models.training_module import trainable
from seqlab.training.callbacks.builders import callbacks_of
from seqlab.training.trainer import build_trainer

GOAL = 1.88  # nats a character over the whole validation part
PUBLISHED_STEPS = 2000
STEPS = 400
RECIPE = (
    "experiment=shakespeare_char_best",
    f"trainer.max_steps={STEPS}",
    "trainer.precision=auto",
    f"trainer.val_check_interval={STEPS}",
)


class Terminal(io.StringIO):
    """Where a run may show its progress although nobody watches."""

    def isatty(self) -> bool:
        """So that there is a bar."""
        return True


class Clock(Callback):
    """Notes seconds from the first step to the end of each validation, and the loss then."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []
        self._start = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts."""
        self._start = self._start or time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes."""
        loss = float(trainer.callback_metrics["val/teacher_forced/loss"])
        self.seen.append((time.perf_counter() - self._start, loss))


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows."""
    if not (folder() / "tinyshakespeare/input.txt").is_file():
        say(f"    no tinyshakespeare/input.txt in {folder()} (set SEQLAB_DATA): left out")
        return []
    step = isolated(_textbook_step, 0.0 if quick else 5.0)
    seconds, loss = isolated(_train, 20 if quick else STEPS)
    published = step.times(PUBLISHED_STEPS)
    ratio = Spread(published.median / seconds, published.low / seconds, published.high / seconds)
    return [
        Row(
            benchmark=name,
            work=f"`gpt` of 4 layers of 128, to a validation loss of {GOAL} on Shakespeare, `{' '.join(RECIPE[:3])}`",
            beside=f"{PUBLISHED_STEPS:,} textbook steps of the published recipe",
            unit="s",
            ours=Spread.of([seconds]),
            theirs=published,
            ratio=ratio,
            aim="≥ 3 ×",
            met=ratio.median >= 3 and loss <= GOAL,
            note=f"validation loss {loss:.4f} after {STEPS:,} steps, validation counted; published: 1.8857 after 2,000",
        )
    ]


def _textbook_step(seconds: float) -> Spread:
    work = training.WORK["gpt"]
    pairs = work.pairs()
    batches = pairs.batches(training.COUNT, work.size, sorted_by_length=False)
    step = training.their_step(work.textbook, pairs, batches, work.adam)
    return alternate({"textbook": step}, seconds, warmup=2).seconds("textbook")


def _train(steps: int) -> tuple[float, float]:
    """Trains as `seqlab-train` does. Seconds to the end of the validation, and the loss."""
    with tempfile.TemporaryDirectory() as place:
        clock = Clock()
        fit(
            [*RECIPE, f"trainer.max_steps={steps}", f"trainer.val_check_interval={steps}", *places(place)],
            [clock],
        )
    return clock.seen[-1]


def places(place: str) -> list[str]:
    """Settings by which a run that Hydra does not start leaves all that it writes in a folder.

    It trains on the device that is measured.
    """
    return [
        hardware.trainer_group(),
        f"data.cache={CACHE}",
        f"callbacks.saver.folder={place}/checkpoints",
        f"logger.csv.folder={place}",
        f"logger.tensorboard.save_dir={place}",
        "name=bench",
    ]


def fit(
    overrides: list[str],
    extra: list[Callback],
    prepare: Any = None,
    trainer: Trainer | None = None,
    data: SequenceData | None = None,
) -> None:
    """What `seqlab-train` does until training is over, without a word.

    `prepare(data, model, config)` is called before training; `trainer` and `data` take the place of the
    configuration's.
    """
    with contextlib.redirect_stdout(Terminal()):
        config = workloads.settings(*overrides)
        settings = read_train(config, HydraRun(Path()))
        seed_everything(settings.seed, workers=True, verbose=False)
        data = data or build_data(settings.data)
        model: Any = build_model(settings.model, data, trainable)
        scheduler = None if settings.scheduler is None else settings.scheduler.build()
        objective = settings.objective.build_as(Objective)
        model.configure_training(settings.optimizer.build(), scheduler, objective)
        if prepare is not None:
            prepare(data, model, config)
        if trainer is None:
            callbacks = callbacks_of(settings, build_search(settings.decoding, data.longest_target), {})
            loggers = [component.build() for component in settings.logger.values()]
            trainer = build_trainer(settings.trainer, [*callbacks.all, *extra], logger=loggers)
        trainer.fit(model, data, weights_only=True)
