"""A callback that sends its own process a signal, once: how the tests kill a run at a chosen step."""

import os
import signal
from pathlib import Path

from lightning.pytorch import Callback


class SendSignal(Callback):
    """Sends `name` after optimizer step `step`, unless `marker` exists, which it then makes."""

    def __init__(self, name: str, step: int, marker: str) -> None:
        self.number, self.step, self.marker = getattr(signal, name), step, Path(marker)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), self.number)
