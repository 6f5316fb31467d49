"""The progress bar, and the lines that a run prints while it trains."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import MutableMapping
from contextlib import ExitStack
from typing import Any, cast

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from hydra_pruning_sweeper.messages import unbroken, wrapped
from seqlab.metrics.registry import METRICS
from seqlab.models.training_module import TrainingModule
from seqlab.training.callbacks.generation_eval import GenerationEval
from seqlab.training.callbacks.printing import print_line

SPLIT_LABELS = {"val": "val", "val_other": "other"}
"""The validation splits, and their names in the printed lines."""

REFRESH_STEPS = 10
"""Steps after which the loss beside the bar is read again: reading it waits for a GPU."""


UNTIMED_STEPS = 10
"""The first steps of a bar, which are slow (memory, kernels and libraries are set up), are not timed."""


SECONDS_PER = {" steps": "step", " batches": "batch"}
"""What a bar counts, as it is written after "s/": a bar below one step per second shows seconds per step."""


class Bar(tqdm):
    """A bar whose speed and remaining time leave out the first steps. Both are "?" until as many more are timed.

    The speed is the mean since then, because that of the last steps alone knows nothing of the next validation.
    """

    _timed_from: tuple[float, float] | None = None  # a step, and the time after it

    def update(self, n: float | None = 1) -> bool | None:
        """Moves the bar by n steps."""
        if self._timed_from is None and self.n + (n or 0) - self.initial >= UNTIMED_STEPS:
            self._timed_from = (self.n + (n or 0), time.perf_counter())
        return super().update(n)

    @property
    def format_dict(self) -> MutableMapping[str, Any]:
        """What the bar shows; a rate of 0 is shown as "?"."""
        first, since = self._timed_from or (self.n, 0.0)
        timed = self.n - first
        rate = timed / max(time.perf_counter() - since, 1e-9) if timed >= UNTIMED_STEPS else 0.0
        shown = super().format_dict
        unit = SECONDS_PER.get(shown["unit"], shown["unit"]) if 0 < rate < 1 else shown["unit"]
        return {**shown, "rate": rate, "unit": unit}


class Progress(ProgressBar):
    """On a terminal, one bar over all steps of the run; everywhere, one line per epoch, or one line per validation if
    validations are counted in steps (`trainer.val_check_interval`).

    The bar appears with the first step, below what a run prints before it, and its remaining time is that of the whole
    run, with as much validation as there has been by then. Evaluating has a bar of its own, over all batches of all
    splits.

    Args:
        every_n_steps: for runs with tiny epochs: print the loss every n optimizer steps instead of one line per epoch
            (None: one line per epoch).
    """

    def __init__(self, every_n_steps: int | None = None) -> None:
        super().__init__()
        self.every_n_steps = every_n_steps
        self._shows_bar = sys.stdout.isatty()
        self._bar: Bar | None = None
        self._open = ExitStack()  # the bar, and what keeps log messages from being written into it
        self._started = 0.0
        self._last_printed = 0

    def disable(self) -> None:
        """Shows no bar: Lightning calls it in every process but the first."""
        self._shows_bar = False

    def enable(self) -> None:
        """Shows a bar if there is a terminal."""
        self._shows_bar = sys.stdout.isatty()

    def on_train_start(self, trainer: Trainer, *args: Any) -> None:
        """Starts the clock; needed if a run is resumed within an epoch, whose start Lightning does not announce."""
        self._started = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, *args: Any) -> None:
        """Starts the clock of the epoch, and names it beside the bar."""
        self._started = time.perf_counter()
        if self._bar is not None:
            self._bar.set_description(_epoch(trainer), refresh=False)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar; prints the loss of every n-th step."""
        step, module = trainer.global_step, cast(TrainingModule, pl_module)
        if self._shows_bar:
            bar = self._bar or self._begin(_epoch(trainer), module.total_steps(), step, "steps")
            if step % REFRESH_STEPS == 0 and step != bar.n:  # once, not with each batch that is accumulated
                bar.set_postfix(loss=f"{float(module.epoch_loss()):.4f}", refresh=False)
            bar.update(step - bar.n)
        if self.every_n_steps and step % self.every_n_steps == 0 and step != self._last_printed:
            self._last_printed = step
            self._print_line(trainer, f"step {step:>6}  loss {float(module.step_loss):.6f}")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Says that the steps wait for a validation."""
        if self._bar is not None:
            self._bar.set_description("validating")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints a line if validations are counted in steps."""
        if self._bar is not None:
            self._bar.set_description(_epoch(trainer))
        if trainer.state.fn == "fit" and trainer.check_val_every_n_epoch is None:
            end = f"/{trainer.max_steps}" if trainer.max_steps > 0 else ""
            self._print_metrics(trainer, pl_module, f"step {trainer.global_step:>5}{end}")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the epoch's line."""
        if not self.every_n_steps and trainer.check_val_every_n_epoch is not None:
            self._print_metrics(trainer, pl_module, _epoch(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the bar away."""
        self._end()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Shows a bar over all batches of all splits."""
        if self._shows_bar:
            self._begin("evaluating", sum(map(int, trainer.num_test_batches)), 0, "batches")

    def on_test_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Moves the bar."""
        if self._bar is not None:
            self._bar.update()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the bar away."""
        self._end()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Takes the bar away before the error is printed."""
        self._end()

    def _begin(self, what: str, total: float, step: int, unit: str) -> Bar:
        bar = self._open.enter_context(
            Bar(
                desc=what,
                total=None if math.isinf(total) else int(total),
                initial=max(step - 1, 0),
                unit=f" {unit}",
                leave=False,
                dynamic_ncols=True,
                file=sys.stdout,
            )
        )
        self._open.enter_context(logging_redirect_tqdm())
        self._bar = bar
        return bar

    def _end(self) -> None:
        self._open.close()
        self._bar = None

    def _print_metrics(self, trainer: Trainer, pl_module: LightningModule, when: str) -> None:
        parts = [when, f"train loss {float(cast(TrainingModule, pl_module).epoch_loss()):.4f}"]
        # callback_metrics keeps free-running values of earlier epochs: they are shown in their own epoch alone.
        due = any(callback.due(trainer) for callback in trainer.callbacks if isinstance(callback, GenerationEval))  # type: ignore[attr-defined]
        values = {name: v for name, v in trainer.callback_metrics.items() if due or "free_running" not in name}
        parts += [
            f"{f'{label} {one.progress}' if one.progress == 'loss' else one.progress} {float(values[name]):{one.form}}"
            for split, label in SPLIT_LABELS.items()
            for one in METRICS
            if one.progress and (name := f"{split}/{one.key}") in values
        ]
        parts.append(f"{time.perf_counter() - self._started:.1f} s")
        self._print_line(trainer, wrapped("  ".join(map(unbroken, parts)), indent=len(when) + 2))

    def _print_line(self, trainer: Trainer, text: str) -> None:
        if trainer.is_global_zero:
            print_line(text)


def _epoch(trainer: Trainer) -> str:
    """The epoch that runs, counted from 1, and how many there will be if that is known."""
    end = f"/{trainer.max_epochs}" if (trainer.max_epochs or 0) > 0 else ""
    return f"epoch {trainer.current_epoch + 1:>3}{end}"
