"""Free-running evaluation during and after training."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from hydra_pruning_sweeper.messages import wrapped
from seqlab.data.batch import Batch
from seqlab.data.module import data_of
from seqlab.decoding import Search
from seqlab.inference.generation_outputs import CustomMetric, Outputs, Prediction, outputs_of
from seqlab.metrics.free_running import gathered
from seqlab.runs.result import GENERATED
from seqlab.stopwatch import Stopwatch
from seqlab.training.callbacks.printing import print_line
from seqlab.training.results import sample_line


class GenerationEval(Callback):
    """Generates from the sources of a split and scores the outputs; continues texts if the dataset has no sources.

    Only the rows in `SequenceData.rows_to_generate` are generated from.

    Args:
        search: the search to generate with.
        every_n_epochs: generate in the validation of every n-th epoch (0: in none; after training it is always done).
            Continuations have no metrics, so validations generate them only if `samples` is above 0.
        samples: number of outputs to print after such a validation.
        metrics: custom metrics: the dotted path of a function by the name under which its value is logged. The function
            takes all outputs (texts) and, for each output, a list of its references, and returns a number.
            Continuations have no metrics.

    Attributes:
        costs: by split with outputs after training: their number, seconds until the process that took longest had them
            as text, how many of these seconds were `waited` for a core, and outputs per second.

    Raises:
        ValueError: a function cannot be imported.
    """

    kind = GENERATED
    """What the names of its metrics begin with, after the split."""

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
        self._watches: dict[str, Stopwatch] = {}
        self.costs: dict[str, dict[str, float | None]] = {}

    @property
    def predictions(self) -> dict[str, list[Prediction]]:
        """The outputs of each split, in the order of its rows."""
        return {split: sorted(outputs.predictions, key=lambda one: one.row) for split, outputs in self._outputs.items()}

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets earlier outputs; generates for the first validation split."""
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
        """Generates for `val`, the first of the validation splits, if this epoch is due."""
        if self.due(trainer) and dataloader_idx == 0:
            self._generate(trainer, pl_module, self._splits[0], batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the metrics and prints samples."""
        if self.due(trainer):
            self._log(pl_module)
            self._print_samples(trainer)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets earlier outputs; generates for every split that is evaluated."""
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
        """Generates for the split of the batch."""
        self._generate(trainer, pl_module, self._splits[dataloader_idx], batch)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the metrics of each split, gathers the predictions of all processes, and sums up what they took."""
        self._log(pl_module)
        for split, outputs in self._outputs.items():
            self.signatures |= outputs.signatures()
            outputs.predictions = gathered(outputs.predictions)
            if outputs.predictions:
                self.costs[split] = _cost(len(outputs.predictions), self._watches[split])

    def due(self, trainer: Trainer) -> bool:
        """Whether the validation of this epoch generates."""
        if not (data_of(trainer).has_bos_eos or self.samples):
            return False
        return self.every_n_epochs > 0 and (trainer.current_epoch + 1) % self.every_n_epochs == 0

    def _begin(self, trainer: Trainer, pl_module: Any, loaders: Any) -> None:
        data = data_of(trainer)
        self._splits = [loader.split for loader in (loaders if isinstance(loaders, list) else [loaders])]
        self._outputs = {split: outputs_of(data, split, pl_module.device, self.metrics) for split in self._splits}
        self._watches = {split: Stopwatch() for split in self._splits}
        self._rows_to_generate = {split: torch.from_numpy(data.rows_to_generate(split)) for split in self._splits}

    def _generate(self, trainer: Trainer, pl_module: Any, split: str, batch: Batch) -> None:
        rows = batch.rows.cpu()
        selected = (rows >= 0) & self._rows_to_generate[split][rows.clamp(min=0)]
        chosen = selected.nonzero().squeeze(1).to(batch.source.device)
        if len(chosen):
            with trainer.precision_plugin.forward_context():  # Lightning calls callbacks outside of it
                self._outputs[split].add(
                    pl_module, Batch(*(field[chosen] for field in batch)), self.search, self._watches[split]
                )

    def _log(self, pl_module: LightningModule) -> None:
        for split, outputs in self._outputs.items():
            metrics = {f"{split}/{self.kind}/{name}": value for name, value in outputs.metrics().items()}
            pl_module.log_dict(metrics, sync_dist=False)

    def _print_samples(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            for one in self.predictions["val"][: self.samples]:
                print_line(wrapped(f"    {sample_line(one)}", indent=8))


class FurtherSearch(GenerationEval):
    """Generates with a search besides the one of `GenerationEval`, for the last split that is evaluated after training.

    Args:
        search: the search to generate with.
        kind: what the names of its metrics begin with, after the split.
    """

    def __init__(self, search: Search, kind: str) -> None:
        super().__init__(search, every_n_epochs=0)
        self.kind = kind

    def due(self, trainer: Trainer) -> bool:
        """Never while training."""
        return False

    def _begin(self, trainer: Trainer, pl_module: Any, loaders: Any) -> None:
        super()._begin(trainer, pl_module, loaders)
        self._outputs = {split: self._outputs[split] for split in self._splits[-1:] if data_of(trainer).has_bos_eos}

    def _generate(self, trainer: Trainer, pl_module: Any, split: str, batch: Batch) -> None:
        if split in self._outputs:
            super()._generate(trainer, pl_module, split, batch)


def _cost(outputs: int, watch: Stopwatch) -> dict[str, float | None]:
    """What the outputs of all processes took; every process must call it."""
    seconds, waited = max(gathered([(watch.seconds, watch.waited)]), key=lambda one: one[0])
    return {"outputs": outputs, "seconds": seconds, "waited": waited, "per_second": outputs / seconds}


def _function(name: str, path: str) -> CustomMetric:
    try:
        function = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"metrics.{name}: {path!r} cannot be imported ({error})") from None
    if not callable(function):
        raise ValueError(f"metrics.{name} must name a function, but {path!r} is {function!r}")
    return cast(CustomMetric, function)
