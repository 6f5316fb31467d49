"""The cost of training: target tokens, seconds, floating-point operations, memory."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from seqlab.data.batch import Batch
from seqlab.data.module import data_of
from seqlab.stopwatch import Stopwatch
from seqlab.training.dry_run import count_flops, typical_batch, without_side_effects
from seqlab.training.peak_memory import measure_anew, peak_memory

NOTHING = {"tokens": 0, "seconds": 0.0, "waited": 0.0, "flops": 0.0, "peak_memory": 0, "run": 0.0}
"""The counts of a run that has no earlier part."""


class Throughput(Callback):
    """Counts target tokens without padding, and seconds of training without validation, of all parts of a resumed run;
    measures the most memory that a part of it held.

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
        self._before: dict[str, Any] = dict(NOTHING)
        self._tokens = torch.zeros((), dtype=torch.long)  # of this part and this process
        self._watch = Stopwatch()
        self._flops_per_token = 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Moves the counter to the device on which processes add up, even if nothing is left to train."""
        if stage == "fit":
            device = trainer.strategy.root_device
            self._tokens = torch.zeros((), dtype=torch.long, device=device)
            measure_anew(device)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts the operations of a batch."""
        batch = typical_batch(data_of(trainer), pl_module.device)
        with without_side_effects(pl_module, pl_module.device), trainer.precision_plugin.train_step_context():
            self._flops_per_token = count_flops(pl_module, batch) / max(1, int(batch.tokens.sum()))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._watch.start()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Starts the clock after a validation, and if a run is resumed within an epoch."""
        self._watch.start()

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

    def result(self) -> dict[str, Any]:
        """Target tokens, seconds and how many of them were `waited`, tokens per second, roughly the number of
        floating-point operations, and bytes of memory at most (see `peak_memory`).

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
            "seconds": self._before["seconds"] + self._watch.seconds,
            "waited": _sum(self._before["waited"], self._watch.waited),
            "flops": self._before["flops"] + self._flops_per_token * int(tokens),
            "peak_memory": self._memory(),
            "run": self.earlier + time.perf_counter() - self._began,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues the counts of the checkpoint."""
        self._before |= {"waited": None, "peak_memory": None} | state_dict

    def _stop(self, pl_module: LightningModule) -> None:
        if self._watch.runs and pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)  # waits for queued kernels, which are training, too
        self._watch.stop()

    def _memory(self) -> int | None:
        """Of the process that held most, in any part of the run."""
        now = peak_memory(self._tokens.device)
        if now is not None and torch.distributed.is_initialized():
            most = self._tokens.new_tensor(now)
            torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
            now = int(most)
        before = self._before["peak_memory"]
        return None if now is None or before is None else max(before, now)


def _sum(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b
