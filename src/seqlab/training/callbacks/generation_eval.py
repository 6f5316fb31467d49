"""Hearing what a model says on its own, while it trains and after."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from seqlab.data.batch import Batch
from seqlab.data.module import data_of
from seqlab.decoding import Search
from seqlab.inference.generation_outputs import Outputs, OwnMetric, Prediction, outputs_of
from seqlab.metrics.free_running import gathered
from seqlab.training.results import sample


class GenerationEval(Callback):
    """Generates from the sources of a split and measures the outputs; has texts continued where there are no sources.

    Only rows that the data calls distinct are generated from.

    Args:
        search: how to generate.
        every_n_epochs: validate so every so many epochs (0: never; after training it is always done). Continuations
            are not measured: of those there is a validation only where samples are asked for.
        samples: outputs to print after such a validation.
        metrics: of one's own, by the names to log them under: each names a function of all outputs (texts) and, for
            each output, its references, which gives a number. Texts that are continued have none.

    Raises:
        ValueError: a function that cannot be imported.
    """

    def __init__(
        self,
        search: Search,
        every_n_epochs: int = 1,
        samples: int = 0,
        metrics: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.metrics = {name: _function(name, path) for name, path in metrics.items()}
        self.search, self.every_n_epochs, self.samples = search, every_n_epochs, samples
        self.signatures: dict[str, str] = {}
        self._outputs: dict[str, Outputs] = {}

    @property
    def predictions(self) -> dict[str, list[Prediction]]:
        """What was said of each split, in the order of its rows."""
        return {split: sorted(own.predictions, key=lambda one: one.row) for split, own in self._outputs.items()}

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins anew."""
        self._begin(trainer, pl_module, cast(list[Any], trainer.val_dataloaders)[:1])

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Generates from `val`, the first of the validation splits, in the epochs that call for it."""
        if self.due(trainer) and dataloader_idx == 0:
            self._generate(trainer, pl_module, self._splits[0], batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the metrics and prints samples."""
        if self.due(trainer):
            self._log(pl_module)
            self._print_samples(trainer)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins anew, with every split that is measured."""
        self._begin(trainer, pl_module, trainer.test_dataloaders)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Generates."""
        self._generate(trainer, pl_module, self._splits[dataloader_idx], batch)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the metrics of each split and brings the predictions of all processes together."""
        self._log(pl_module)
        for own in self._outputs.values():
            self.signatures |= own.signatures()
            own.predictions = gathered(own.predictions)

    def due(self, trainer: Trainer) -> bool:
        """Whether this epoch's validation generates."""
        if not (data_of(trainer).has_bos_eos or self.samples):
            return False
        return self.every_n_epochs > 0 and (trainer.current_epoch + 1) % self.every_n_epochs == 0

    def _begin(self, trainer: Trainer, pl_module: Any, loaders: Any) -> None:
        data = data_of(trainer)
        self._splits = [loader.split for loader in (loaders if isinstance(loaders, list) else [loaders])]
        self._outputs = {split: outputs_of(data, split, pl_module.device, self.metrics) for split in self._splits}
        self._rows_to_generate = {split: torch.from_numpy(data.rows_to_generate(split)) for split in self._splits}

    def _generate(self, trainer: Trainer, pl_module: Any, split: str, batch: Batch) -> None:
        rows = batch.rows.cpu()
        wanted = (rows >= 0) & self._rows_to_generate[split][rows.clamp(min=0)]
        chosen = wanted.nonzero().squeeze(1).to(batch.source.device)
        if len(chosen):
            with trainer.precision_plugin.forward_context():  # callbacks are called outside of it
                self._outputs[split].add(pl_module, Batch(*(field[chosen] for field in batch)), self.search)

    def _log(self, pl_module: LightningModule) -> None:
        for split, own in self._outputs.items():
            metrics = {f"{split}/free_running/{name}": value for name, value in own.metrics().items()}
            pl_module.log_dict(metrics, sync_dist=False)

    def _print_samples(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            for one in self.predictions["val"][: self.samples]:
                print(f"    {sample(one)}", flush=True)


def _function(name: str, path: str) -> OwnMetric:
    try:
        found = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"metrics.{name}: {path!r} cannot be imported ({error})") from None
    if not callable(found):
        raise ValueError(f"metrics.{name} must name a function, but {path!r} is {found!r}")
    return cast(OwnMetric, found)
