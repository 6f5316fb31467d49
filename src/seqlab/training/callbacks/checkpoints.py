"""Checkpoints from which a run can be resumed as if it had never stopped.

Beside what Lightning stores, a checkpoint holds the states of all random generators and the saver's best value (both
here), the identity of the run (`training.resuming.SavesIdentity`), the counts of `throughput`, and the loss of a
half-finished epoch (`models.training_module`).
"""

from __future__ import annotations

import math
import pickle
import random
import signal
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch import callbacks as stock

from seqlab.errors import InputError
from seqlab.private_parts import completed_validation, training_ends, validation_follows


class Interrupted(Exception):  # noqa: N818  # it is no error
    """The user has stopped training, and a checkpoint was saved."""


class RandomStates(Callback):
    """Stores the states of all random generators in checkpoints, which Lightning does not do.

    They are restored when training starts, not when the checkpoint is read, because building loaders and timing steps
    in between draw from them.
    """

    def __init__(self) -> None:
        self._restored: list[dict[str, Any]] | None = None

    def state_dict(self) -> dict[str, Any]:
        """The generators' states, of each process."""
        version, keys, *rest = np.random.get_state()
        states = {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all(),
            "python": random.getstate(),
            "numpy": [version, np.asarray(keys).tolist(), *rest],
        }
        if not torch.distributed.is_initialized():
            return {"processes": [states]}
        processes: list[Any] = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(processes, states)
        return {"processes": processes}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keeps the states until training starts."""
        self._restored = state_dict["processes"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores the states; a process whose rank has none in the checkpoint keeps the states that it has."""
        if self._restored is None or trainer.global_rank >= len(self._restored):
            return
        states = self._restored[trainer.global_rank]
        torch.set_rng_state(states["torch"])
        if len(states["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(states["cuda"])
        version, keys, gauss = states["python"]
        random.setstate((version, tuple(keys), gauss))
        name, numbers, *rest = states["numpy"]
        np.random.set_state((name, np.array(numbers, dtype=np.uint32), *rest))
        self._restored = None


class EarlyStopping(stock.EarlyStopping):
    """Lightning's early stopping; a run that it ended stays ended when it is resumed.

    The patience is that of the configuration, where Lightning would take it from the checkpoint.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best value and the count of validations without a better one."""
        patience = self.patience
        super().load_state_dict(state_dict)
        self.patience = patience

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops at once if patience had run out before the checkpoint."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


def is_within_training(trainer: Trainer) -> bool:
    """Whether a validation is part of training: neither the check before it, nor one that was asked for by itself."""
    return not trainer.sanity_checking and trainer.state.fn == "fit"


class Saver(stock.Checkpoint):
    """Writes `last.ckpt` at intervals and `best.ckpt` after each validation that is the best so far.

    It saves only where a run can be resumed exactly: after an optimizer step or an epoch, with the validation if there
    is one there. Ctrl-C (or SIGTERM) stops training at the next such point; a second Ctrl-C stops at once.

    Args:
        folder: the folder of both files.
        monitor: the validation metric that decides which checkpoint is best.
        mode: whether its smallest ("min") or largest ("max") value is the best.
        every_n_steps: optimizer steps between saves within an epoch.
    """

    def __init__(
        self,
        folder: str | Path,
        monitor: str = "val/teacher_forced/loss",
        mode: Literal["min", "max"] = "min",
        every_n_steps: int = 500,
    ) -> None:
        self.folder, self.monitor, self.mode, self.every_n_steps = Path(folder), monitor, mode, every_n_steps
        self.best: float | None = None
        self._interrupted = self._stopping = False
        self._handlers: dict[int, Any] = {}

    @property
    def state_key(self) -> str:
        """Names the monitored metric, so that the best value of another metric is not restored."""
        return self._generate_state_key(monitor=self.monitor, mode=self.mode)

    def state_dict(self) -> dict[str, Any]:
        """The best value so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best value."""
        self.best = state_dict["best"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Installs handlers for Ctrl-C and SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
        print("\nStopping after this step; Ctrl-C once more stops at once.", flush=True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves `best.ckpt` if the metric is the best so far, and within an epoch `last.ckpt` if that is due.

        Raises:
            InputError: the validation has no such metric.
        """
        if not is_within_training(trainer):
            return
        value = self.value(trainer)
        if self.improves(value):
            self.best = value
            self._save(trainer, "best")
        self._save_within_epoch(trainer)

    def improves(self, value: float) -> bool:
        """Whether a value of the monitored metric is better than the best so far."""
        sign = 1 if self.mode == "min" else -1
        return self.best is None or math.isnan(self.best) or sign * value < sign * self.best

    def value(self, trainer: Trainer) -> float:
        """The value of the monitored metric, after a validation.

        Raises:
            InputError: the validation has no such metric.
        """
        if self.monitor not in trainer.callback_metrics:
            known = ", ".join(sorted(name for name in trainer.callback_metrics if name.startswith("val/")))
            raise InputError(
                f"callbacks.saver.monitor: no metric {self.monitor!r} after this validation; there are {known}"
                " (free-running ones need free_running.every_n_epochs=1)"
            )
        return float(trainer.callback_metrics[self.monitor])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves if a save is due, unless a validation follows, which comes first."""
        if not validation_follows(trainer):
            self._save_within_epoch(trainer)

    def _save_within_epoch(self, trainer: Trainer) -> None:
        """Saves if that is due, if a stop was requested, or if training ends here; after an epoch's last batch the
        epoch's end comes first.
        """
        if trainer.is_last_batch:
            return
        due = False
        if (trainer.fit_loop.batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            # Only here, because a checkpoint does not hold accumulated gradients; where training ends they are lost.
            self._stopping = self._stop_requested(trainer)
            due = self._stopping or trainer.global_step % self.every_n_steps == 0
        if due or training_ends(trainer):
            self._save(trainer, "last")

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Lets a run that is resumed from after a validation go on with the next batch."""
        if trainer.validating:
            completed_validation(checkpoint)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Stops on request, now that the step before is saved and logged."""
        if self._stopping:
            raise Interrupted

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves after every epoch; one that was cut off was saved before it was counted, so that it can go on."""
        if trainer.is_last_batch:
            self._save(trainer, "last")
        if self._stop_requested(trainer):
            raise Interrupted

    def _stop_requested(self, trainer: Trainer) -> bool:
        """Whether any process has received a signal to stop."""
        if trainer.world_size == 1:
            return self._interrupted
        return trainer.strategy.reduce_boolean_decision(self._interrupted, all=False)

    def _save(self, trainer: Trainer, name: str) -> None:
        """Writes a temporary file and renames it, so that a kill leaves either the old checkpoint or the new one."""
        target = self.folder / f"{name}.ckpt"
        temporary = target.with_suffix(".tmp")
        try:
            trainer.save_checkpoint(temporary)
            if trainer.is_global_zero:
                temporary.replace(target)
        finally:
            if trainer.is_global_zero:
                temporary.unlink(missing_ok=True)
        trainer.strategy.barrier()  # no process reads before the file is in place

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Restores the earlier signal handlers."""
        self.teardown(trainer, pl_module, "fit")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Restores the earlier signal handlers."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, which may hold tensors and plain data only.

    Raises:
        InputError: the file is missing or broken, or contains code (which is not run).
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint") from None
    except pickle.UnpicklingError as error:
        reason = str(error).split("WeightsUnpickler error:")[-1].strip().splitlines()[0]
        raise InputError(f"{path}: refused, it holds more than tensors and plain data ({reason})") from None
    except (RuntimeError, EOFError, OSError) as error:
        raise InputError(f"{path}: not a readable checkpoint ({(str(error) or 'empty').splitlines()[0]})") from None
    if not (isinstance(content, dict) and {"state_dict", "global_step", "loops"} <= content.keys()):
        raise InputError(f"{path}: not the checkpoint of a run")
    return content
