"""Callbacks that bring trouble: how the tests kill a run at a chosen step, or starve it."""

import os
import signal
from pathlib import Path

import torch
from lightning.pytorch import Callback


class SendSignal(Callback):
    """Sends `name` after optimizer step `step`, unless `marker` exists, which it then makes."""

    def __init__(self, name: str, step: int, marker: str) -> None:
        self.number, self.step, self.marker = getattr(signal, name), step, Path(marker)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), self.number)


class Hungry(Callback):
    """Fails as torch does when memory runs out."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if self.kind == "torch":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB")
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
