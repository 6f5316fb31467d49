"""Weight averaging: the mean of the weights after several epochs, which is often better than any of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seqlab.checks import check_sizes
from seqlab.errors import InputError
from seqlab.training.callbacks.checkpoints import Saver, is_within_training


class Averager(Callback):
    """Writes the weights after the last, or the best, epochs to files, which are averaged after training.

    A file is deleted only after a checkpoint was saved that does not need it, so that a resumed run finds all of its
    files.

    Args:
        saver: has the folder of the files and the metric that decides which weights are best.
        checkpoints: number of epochs to average.
        of: "last": the weights after the last epochs; "best": those after the best validations.

    Raises:
        ValueError: `checkpoints` below 1.
    """

    def __init__(self, saver: Saver, checkpoints: int = 5, of: Literal["last", "best"] = "last") -> None:
        check_sizes(checkpoints=checkpoints)
        self.saver, self.checkpoints, self.of = saver, checkpoints, of
        self._kept: dict[int, float] = {}  # optimizer step → rank; those with the lowest ranks are kept

    @property
    def steps(self) -> list[int]:
        """The optimizer steps after which the kept weights were taken."""
        return sorted(self._kept)

    @property
    def state_key(self) -> str:
        """Names the metric that decides which are best, so that the choice by another metric is not restored."""
        criterion = {"monitor": self.saver.monitor, "mode": self.saver.mode} if self.of == "best" else {}
        return self._generate_state_key(of=self.of, **criterion)

    def state_dict(self) -> dict[str, Any]:
        """The steps of the kept weights, with their ranks."""
        return {"kept": dict(self._kept)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the steps and ranks."""
        self._kept = dict(state_dict["kept"])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Checks that there are validations if they decide.

        Raises:
            InputError: `of` is "best", and there is no validation split.
        """
        if self.of == "best" and not sum(trainer.num_val_batches):
            raise InputError("average.of must be last where there is no validation split, but is best")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keeps the weights if they are among the best.

        Raises:
            InputError: the validation has no such metric.
        """
        if self.of != "best" or not is_within_training(trainer):
            return
        value = self.saver.value(trainer) * (1 if self.saver.mode == "min" else -1)
        self._keep(trainer, pl_module, math.inf if math.isnan(value) else value)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keeps the weights of the epoch, unless it was cut off: continued, the run would not have them."""
        if self.of == "last" and trainer.is_last_batch:
            self._keep(trainer, pl_module, -float(trainer.global_step))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Deletes the files that the last checkpoint does not need."""
        self._prune(trainer)

    def average(self) -> dict[str, Tensor]:
        """The mean of the kept weights, computed in double precision; integer buffers are those of the last step.

        Raises:
            InputError: no weights were kept, or a file is missing or broken.
        """
        if not self._kept:
            raise InputError("weights must be best or last here, but is average: no epoch has ended with this setting")
        total: dict[str, Tensor] = {}
        for step in self.steps:
            newest = self._read(step)
            for name, tensor in newest.items():
                total[name] = total.get(name, 0.0) + tensor.double()
        return {
            name: (total[name] / len(self.steps)).to(tensor.dtype) if tensor.is_floating_point() else tensor
            for name, tensor in newest.items()
        }

    def _path(self, step: int) -> Path:
        return self.saver.folder / f"step_{step}.safetensors"

    def _read(self, step: int) -> dict[str, Tensor]:
        try:
            return load_file(self._path(step))
        except (OSError, SafetensorError) as error:
            raise InputError(f"{self._path(step)}: not a readable weights file ({error})") from None

    def _keep(self, trainer: Trainer, pl_module: LightningModule, rank: float) -> None:
        self._prune(trainer)
        kept = {**self._kept, trainer.global_step: rank}
        chosen = sorted(kept, key=lambda step: (kept[step], step))[: self.checkpoints]
        if trainer.global_step in chosen and trainer.is_global_zero:
            tensors = {
                name: tensor.cpu().clone() for name, tensor in pl_module.state_dict().items()
            }  # safetensors refuses shared memory
            self._write(tensors, self._path(trainer.global_step))
        self._kept = {step: kept[step] for step in chosen}

    def _write(self, tensors: dict[str, Tensor], target: Path) -> None:
        """Writes a temporary file and renames it, so that a kill leaves no partial file."""
        self.saver.folder.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".tmp")
        try:
            save_file(tensors, temporary)
            temporary.replace(target)
        except SafetensorError as error:
            raise InputError(f"{target}: the weights cannot be written ({error})") from None
        finally:
            temporary.unlink(missing_ok=True)

    def _prune(self, trainer: Trainer) -> None:
        """Deletes the files of weights that were dropped before the last checkpoint was saved."""
        if not trainer.is_global_zero:
            return
        for path in self.saver.folder.glob("step_*.safetensors"):
            if path not in {self._path(step) for step in self._kept}:
                path.unlink()
