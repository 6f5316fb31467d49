"""The cost of training: target tokens, seconds, floating-point operations."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from seqlab.data.batch import Batch
from seqlab.data.module import data_of
from seqlab.training.dry_run import count_flops, typical_batch, without_side_effects

SCHEDULED = Path("/proc/thread-self/schedstat")
"""Where Linux keeps a thread's nanoseconds on a core, and those for which it was ready and had none."""


def waited_for_a_core() -> float | None:
    """Seconds for which this thread was ready to run, but others had the cores; None where the system does not tell."""
    try:
        return int(SCHEDULED.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


class Throughput(Callback):
    """Counts target tokens without padding, and seconds of training without validation, of all parts of a resumed run.

    Seconds depend on what else the machine does. So those are counted, too, in which the thread that trains waited for
    a core: whoever compares times can leave out runs that had to share.

    Operations are counted once, on the batch of median length, and scaled to the tokens of the run.

    Args:
        began: when this part of the run began, on the clock of `time.perf_counter`; None means now.
    """

    def __init__(self, began: float | None = None) -> None:
        self._began = time.perf_counter() if began is None else began
        # Of earlier parts of a resumed run up to their checkpoints, over all processes; `run`: all seconds, validation
        # included.
        self._before: dict[str, Any] = {"tokens": 0, "seconds": 0.0, "waited": 0.0, "flops": 0.0, "run": 0.0}
        self._tokens = torch.zeros((), dtype=torch.long)  # of this part and this process
        self._seconds = 0.0
        self._since: float | None = None  # when the clock was started; None while it is stopped
        self._waited: float | None = 0.0
        self._waited_since: float | None = None
        self._flops_per_token = 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Moves the counter to the device on which processes add up, even if nothing is left to train."""
        if stage == "fit":
            self._tokens = torch.zeros((), dtype=torch.long, device=trainer.strategy.root_device)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts the operations of a batch."""
        batch = typical_batch(data_of(trainer), pl_module.device)
        with without_side_effects(pl_module, pl_module.device), trainer.precision_plugin.train_step_context():
            self._flops_per_token = count_flops(pl_module, batch) / max(1, int(batch.tokens.sum()))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._start()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Starts the clock after a validation, and if a run is resumed within an epoch."""
        self._start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Counts the tokens of the batch on its device, without waiting for it."""
        self._tokens = self._tokens + batch.tokens.sum()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock."""
        self._stop(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock."""
        self._stop(pl_module)

    def result(self) -> dict[str, float]:
        """Target tokens, seconds and how many of them were `waited`, tokens per second, and roughly the number of
        floating-point operations.

        Every process must call it, because it adds up their tokens.
        """
        counts = {name: count for name, count in self.state_dict().items() if name != "run"}
        return counts | {"tokens_per_second": counts["tokens"] / counts["seconds"] if counts["seconds"] else 0.0}

    @property
    def earlier(self) -> float:
        """Seconds of the earlier parts of a resumed run, validation included, each up to its last checkpoint."""
        return self._before["run"]

    def state_dict(self) -> dict[str, Any]:
        """The counts so far, over all processes."""
        tokens = self._tokens.clone()
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(tokens)
        return {
            "tokens": self._before["tokens"] + int(tokens),
            "seconds": self._before["seconds"] + self._elapsed(),
            "waited": _sum(self._before["waited"], self._waiting()),
            "flops": self._before["flops"] + self._flops_per_token * int(tokens),
            "run": self.earlier + time.perf_counter() - self._began,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues the counts of the checkpoint."""
        self._before |= {"waited": None} | state_dict

    def _start(self) -> None:
        if self._since is None:
            self._since, self._waited_since = time.perf_counter(), waited_for_a_core()

    def _stop(self, pl_module: LightningModule) -> None:
        if self._since is not None and pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)  # waits for queued kernels, which are training, too
        self._waited = self._waiting()
        self._seconds, self._since = self._elapsed(), None

    def _elapsed(self) -> float:
        return self._seconds + (time.perf_counter() - self._since if self._since is not None else 0.0)

    def _waiting(self) -> float | None:
        if self._since is None:
            return self._waited
        now, then = waited_for_a_core(), self._waited_since
        return None if now is None or then is None else _sum(self._waited, now - then)


def _sum(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b
