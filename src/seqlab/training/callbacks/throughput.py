"""What training took: tokens, seconds, floating-point operations."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from seqlab.data.batch import Batch
from seqlab.data.module import data_of
from seqlab.training.dry_run import count_flops, leaving_no_trace, typical_batch


class Throughput(Callback):
    """Counts target tokens without padding, and seconds of training without validation, resumed parts included.

    Operations are counted once, on a batch of middle length, and scaled to the tokens of the run.

    Args:
        began: when this part of the run began, on the clock of `time.perf_counter`; None is now.
    """

    def __init__(self, began: float | None = None) -> None:
        self._began = time.perf_counter() if began is None else began
        # Of the parts of a resumed run up to their checkpoints, of all processes; `run` is all time since `began`.
        self._before = {"tokens": 0, "seconds": 0.0, "flops": 0.0, "run": 0.0}
        self._tokens = torch.zeros((), dtype=torch.long)  # of this part and this process
        self._seconds = 0.0
        self._since: float | None = None  # the clock stands still while this is None
        self._flops_a_token = 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Counts where the processes can add up, even if nothing is left to train."""
        if stage == "fit":
            self._tokens = torch.zeros((), dtype=torch.long, device=trainer.strategy.root_device)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts the operations of a batch."""
        batch = typical_batch(data_of(trainer), pl_module.device)
        with leaving_no_trace(pl_module, pl_module.device), trainer.precision_plugin.train_step_context():
            self._flops_a_token = count_flops(pl_module, batch) / max(1, int(batch.tokens.sum()))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._start()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Starts the clock after a validation; and in the middle of an epoch, where a resumed run goes on."""
        self._start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Counts the batch; on its device, which is not waited for."""
        self._tokens = self._tokens + batch.tokens.sum()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock."""
        self._stop(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock."""
        self._stop(pl_module)

    def result(self) -> dict[str, float]:
        """Target tokens seen, seconds, tokens a second, and about how many floating-point operations.

        Every process must ask: their tokens are added up.
        """
        counts = {name: count for name, count in self.state_dict().items() if name != "run"}
        return counts | {"tokens_per_second": counts["tokens"] / counts["seconds"] if counts["seconds"] else 0.0}

    @property
    def earlier(self) -> float:
        """Seconds, of whatever kind, of the parts of a resumed run before this one, each up to its last checkpoint."""
        return self._before["run"]

    def state_dict(self) -> dict[str, Any]:
        """The counts so far, of all processes."""
        tokens = self._tokens.clone()
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(tokens)
        return {
            "tokens": self._before["tokens"] + int(tokens),
            "seconds": self._before["seconds"] + self._elapsed(),
            "flops": self._before["flops"] + self._flops_a_token * int(tokens),
            "run": self.earlier + time.perf_counter() - self._began,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on counting."""
        self._before |= state_dict

    def _start(self) -> None:
        if self._since is None:
            self._since = time.perf_counter()

    def _stop(self, pl_module: LightningModule) -> None:
        if self._since is not None and pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)  # the work that was handed to it is training, too
        self._seconds, self._since = self._elapsed(), None

    def _elapsed(self) -> float:
        return self._seconds + (time.perf_counter() - self._since if self._since is not None else 0.0)
