"""Measuring what a model says on its own, while it trains and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from seqlab.data.batch import Batch
from seqlab.data.module import data_of
from seqlab.data.text_pairs import TextPairs
from seqlab.decoding import Search
from seqlab.metrics.free_running import IdMetrics, TextMetrics, gathered
from seqlab.text.tokenizers import matches_one


@dataclass(frozen=True)
class Prediction:
    """What a model said of an example. `score` is the natural logarithm of its probability."""

    row: int
    source: str
    prediction: str
    reference: str
    score: float
    match: bool


class FreeRunning(Callback):
    """Generates from the sources of a split and measures the outputs, as ids and, for texts, as text.

    Only rows that the data calls distinct are generated from; an output matches if it is one of the
    source's known targets. BLEU and chrF are taken for datasets of texts.

    Args:
        search: how to generate.
        every_n_epochs: validate so every so many epochs (0: never; after training it is always done).
        samples: outputs to print after such a validation.
    """

    def __init__(self, search: Search, every_n_epochs: int = 1, samples: int = 0) -> None:
        self.search, self.every_n_epochs, self.samples = search, every_n_epochs, samples
        self.predictions: dict[str, list[Prediction]] = {}
        self.signatures: dict[str, str] = {}
        self._ids: dict[str, IdMetrics] = {}
        self._texts: dict[str, TextMetrics] = {}

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins anew."""
        self._begin(trainer, pl_module, ["val"])

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
            self._generate(trainer, pl_module, "val", batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the metrics and prints samples."""
        if self.due(trainer):
            pl_module.log_dict(self._metrics("val"), sync_dist=False)
            self._print_samples(trainer)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins anew, with every split that is measured."""
        self._begin(trainer, pl_module, [loader.split for loader in _loaders(trainer)])

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
        self._generate(trainer, pl_module, _loaders(trainer)[dataloader_idx].split, batch)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the metrics of each split and brings the predictions of all processes together, in order."""
        for split in list(self._ids):
            pl_module.log_dict(self._metrics(split), sync_dist=False)
            if split in self._texts:
                self.signatures = self._texts[split].signatures()
            self.predictions[split] = sorted(gathered(self.predictions[split]), key=lambda one: one.row)

    def due(self, trainer: Trainer) -> bool:
        """Whether this epoch's validation generates."""
        return self.every_n_epochs > 0 and (trainer.current_epoch + 1) % self.every_n_epochs == 0

    def _begin(self, trainer: Trainer, pl_module: Any, splits: list[str]) -> None:
        data = data_of(trainer)
        self.predictions = {split: [] for split in splits}
        self._ids = {split: IdMetrics(pl_module.target_size, data.filler).to(pl_module.device) for split in splits}
        self._texts = {}
        if isinstance(data, TextPairs):
            self._texts = {split: TextMetrics(data.target_tokenizer.lower) for split in splits}
        self._distinct = {split: torch.from_numpy(data.distinct(split)) for split in splits}

    def _generate(self, trainer: Trainer, pl_module: Any, split: str, batch: Batch) -> None:
        rows = batch.rows.cpu()
        chosen = ((rows >= 0) & self._distinct[split][rows.clamp(min=0)]).nonzero().squeeze(1).to(batch.source.device)
        if not len(chosen):
            return
        batch = Batch(*(field[chosen] for field in batch))
        with trainer.precision_plugin.forward_context():  # callbacks are called outside of it
            found = pl_module.generate(batch.source, batch.source_lengths, self.search)
        tokens, scores = found.tokens[:, 0], found.scores[:, 0]  # the best output counts
        self._ids[split].update(tokens, batch.target)
        data = data_of(trainer)
        outputs = [data.target_tokenizer.decode(ids) for ids in tokens.tolist()]
        references = [data.references(split, row) for row in batch.rows.tolist()]
        matches = [
            matches_one(data.target_tokenizer, output, own) for output, own in zip(outputs, references, strict=True)
        ]
        if split in self._texts:
            self._texts[split].update(outputs, references, matches)
        for row, output, own, score, match in zip(
            batch.rows.tolist(), outputs, references, scores.tolist(), matches, strict=True
        ):
            self.predictions[split].append(Prediction(row, data.source_text(split, row), output, own[0], score, match))

    def _metrics(self, split: str) -> dict[str, float]:
        values = self._ids[split].compute()
        if split in self._texts:
            values |= self._texts[split].compute()
        return {f"{split}/free_running/{name}": value for name, value in values.items()}

    def _print_samples(self, trainer: Trainer) -> None:
        if not (self.samples and trainer.is_global_zero):
            return
        for one in sorted(self.predictions["val"], key=lambda one: one.row)[: self.samples]:
            sign = "=" if one.match else "≠"
            print(f"    {one.source}  →  {one.prediction}  {sign}  {one.reference}", flush=True)


def _loaders(trainer: Trainer) -> list[Any]:
    loaders = trainer.test_dataloaders
    return loaders if isinstance(loaders, list) else [loaders]
