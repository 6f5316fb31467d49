"""What a run shows while it goes on."""

from __future__ import annotations

import sys
import time
from typing import Any, cast

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from seqlab.metrics.registry import METRICS
from seqlab.models.training_module import TrainingModule
from seqlab.training.callbacks.generation_eval import GenerationEval

SPLITS = {"val": "val", "val_other": "other"}
"""The splits that a validation measures, and what its line calls them."""


class Progress(TQDMProgressBar):
    """A bar over the batches where there is a terminal, and one line an epoch wherever the output goes: or one a
    validation, where those are counted in steps (`trainer.val_check_interval`).

    Args:
        every_n_steps: print the loss every so many optimizer steps instead of a line an epoch (None: a line an
            epoch), for runs whose epochs are tiny.
    """

    def __init__(self, every_n_steps: int | None = None) -> None:
        super().__init__(refresh_rate=10 if sys.stdout.isatty() else 0, leave=False)
        self.every_n_steps = every_n_steps
        self._started = 0.0
        self._last_printed = 0

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The loss so far, beside the bar."""
        return {"loss": f"{float(cast(TrainingModule, pl_module).epoch_loss()):.4f}"}

    def on_train_start(self, trainer: Trainer, *args: Any) -> None:
        """Notes the time: of a run that goes on within an epoch, whose beginning is not announced again."""
        self._started = time.perf_counter()
        super().on_train_start(trainer, *args)

    def on_train_epoch_start(self, trainer: Trainer, *args: Any) -> None:
        """Notes the time."""
        self._started = time.perf_counter()
        super().on_train_epoch_start(trainer, *args)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Prints the step's loss if it is due."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        step = trainer.global_step
        if self.every_n_steps and step % self.every_n_steps == 0 and step != self._last_printed:
            self._last_printed = step
            self._line(trainer, f"step {step:>6}  loss {float(cast(TrainingModule, pl_module).step_loss):.6f}")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints a line, where validations are counted in steps."""
        super().on_validation_end(trainer, pl_module)
        if trainer.state.fn == "fit" and trainer.check_val_every_n_epoch is None:
            end = f"/{trainer.max_steps}" if trainer.max_steps > 0 else ""
            self._report(trainer, pl_module, f"step {trainer.global_step:>5}{end}")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the epoch's line."""
        super().on_train_epoch_end(trainer, pl_module)
        if not self.every_n_steps and trainer.check_val_every_n_epoch is not None:
            end = f"/{trainer.max_epochs}" if (trainer.max_epochs or 0) > 0 else ""
            self._report(trainer, pl_module, f"epoch {trainer.current_epoch + 1:>3}{end}")

    def _report(self, trainer: Trainer, pl_module: LightningModule, when: str) -> None:
        parts = [when, f"train loss {float(cast(TrainingModule, pl_module).epoch_loss()):.4f}"]
        # What was not measured in this epoch keeps its value of an earlier one: it is not shown again.
        due = any(callback.due(trainer) for callback in trainer.callbacks if isinstance(callback, GenerationEval))  # type: ignore[attr-defined]
        values = {name: v for name, v in trainer.callback_metrics.items() if due or "free_running" not in name}
        parts += [
            f"{f'{word} {one.progress}' if one.progress == 'loss' else one.progress} {float(values[name]):{one.form}}"
            for split, word in SPLITS.items()
            for one in METRICS
            if one.progress and (name := f"{split}/{one.key}") in values
        ]
        self._line(trainer, "  ".join([*parts, f"{time.perf_counter() - self._started:.1f} s"]))

    def _line(self, trainer: Trainer, text: str) -> None:
        if not trainer.is_global_zero:
            return
        if self.is_enabled:
            self.print(text)
        else:
            print(text, flush=True)
