"""What training took: tokens, seconds, floating-point operations."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from seqlab.data.batch import Batch
from seqlab.data.module import data_of
from seqlab.training.probing import count_flops, leaving_no_trace, target_tokens, typical_batch


class Throughput(Callback):
    """Counts target tokens without padding, and seconds of training without validation, resumed parts included.

    Operations are counted once, on a batch of middle length, and scaled to the tokens of the run.
    """

    def __init__(self) -> None:
        self._tokens: Tensor | int = 0
        self._seconds = 0.0
        self._since: float | None = None  # the clock stands still while this is None
        self._flops_a_token = 0.0
        self._processes_tokens = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts the operations of a batch."""
        batch = typical_batch(data_of(trainer), pl_module.device)
        with leaving_no_trace(pl_module, pl_module.device), trainer.precision_plugin.train_step_context():
            self._flops_a_token = count_flops(pl_module, batch) / max(1, int(target_tokens(batch)))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Counts the batch; on its device, which is not waited for."""
        self._tokens = self._tokens + target_tokens(batch)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock."""
        if self._since is not None and pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self._seconds, self._since = self._elapsed(), None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock again, if training goes on."""
        self._since = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock."""
        self._seconds, self._since = self._elapsed(), None

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Brings the counts of all processes together."""
        total = torch.as_tensor(self._tokens, device=pl_module.device)
        self._processes_tokens = int(trainer.strategy.reduce(total, reduce_op="sum"))

    def result(self) -> dict[str, float]:
        """Target tokens seen, seconds, tokens a second, and about how many floating-point operations."""
        tokens, seconds = self._processes_tokens, self._elapsed()
        return {
            "tokens": tokens,
            "seconds": seconds,
            "tokens_per_second": tokens / seconds if seconds else 0.0,
            "flops": self._flops_a_token * tokens,
        }

    def state_dict(self) -> dict[str, Any]:
        """The counts so far (the tokens of this process, which stand for all's share)."""
        return {"tokens": int(self._tokens), "seconds": self._elapsed()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on counting."""
        self._tokens, self._seconds = state_dict["tokens"], state_dict["seconds"]

    def _elapsed(self) -> float:
        return self._seconds + (time.perf_counter() - self._since if self._since is not None else 0.0)
