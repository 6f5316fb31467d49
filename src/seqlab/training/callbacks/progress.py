"""The progress bar, and the lines that a run prints while it trains."""

from __future__ import annotations

import sys
import time
from typing import Any, cast

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from seqlab.metrics.registry import METRICS
from seqlab.models.training_module import TrainingModule
from seqlab.training.callbacks.generation_eval import GenerationEval

SPLIT_LABELS = {"val": "val", "val_other": "other"}
"""The validation splits, and their names in the printed lines."""


class Progress(TQDMProgressBar):
    """A progress bar over the batches if there is a terminal, and one line per epoch; or one line per validation, if
    validations are counted in steps (`trainer.val_check_interval`).

    Args:
        every_n_steps: for runs with tiny epochs: print the loss every n optimizer steps instead of one line per epoch
            (None: one line per epoch).
    """

    def __init__(self, every_n_steps: int | None = None) -> None:
        super().__init__(refresh_rate=10 if sys.stdout.isatty() else 0, leave=False)
        self.every_n_steps = every_n_steps
        self._started = 0.0
        self._last_printed = 0

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The mean loss of the epoch so far, shown beside the bar."""
        return {"loss": f"{float(cast(TrainingModule, pl_module).epoch_loss()):.4f}"}

    def on_train_start(self, trainer: Trainer, *args: Any) -> None:
        """Starts the clock; needed if a run is resumed within an epoch, whose start Lightning does not announce."""
        self._started = time.perf_counter()
        super().on_train_start(trainer, *args)

    def on_train_epoch_start(self, trainer: Trainer, *args: Any) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()
        super().on_train_epoch_start(trainer, *args)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Prints the loss of every n-th step."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        step = trainer.global_step
        if self.every_n_steps and step % self.every_n_steps == 0 and step != self._last_printed:
            self._last_printed = step
            self._print_line(trainer, f"step {step:>6}  loss {float(cast(TrainingModule, pl_module).step_loss):.6f}")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints a line if validations are counted in steps."""
        super().on_validation_end(trainer, pl_module)
        if trainer.state.fn == "fit" and trainer.check_val_every_n_epoch is None:
            end = f"/{trainer.max_steps}" if trainer.max_steps > 0 else ""
            self._print_metrics(trainer, pl_module, f"step {trainer.global_step:>5}{end}")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the epoch's line."""
        super().on_train_epoch_end(trainer, pl_module)
        if not self.every_n_steps and trainer.check_val_every_n_epoch is not None:
            end = f"/{trainer.max_epochs}" if (trainer.max_epochs or 0) > 0 else ""
            self._print_metrics(trainer, pl_module, f"epoch {trainer.current_epoch + 1:>3}{end}")

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
        self._print_line(trainer, "  ".join([*parts, f"{time.perf_counter() - self._started:.1f} s"]))

    def _print_line(self, trainer: Trainer, text: str) -> None:
        if not trainer.is_global_zero:
            return
        if self.is_enabled:
            self.print(text)
        else:
            print(text, flush=True)
