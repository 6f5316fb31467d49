"""Evaluating a trained model: with which weights, and the metrics of each split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import Trainer

from seqlab.config.settings import TrainSettings
from seqlab.data.module import SequenceData
from seqlab.data.text_pairs import TextPairs
from seqlab.dataset_analysis.copy_nearest import copy_nearest_of
from seqlab.errors import InputError
from seqlab.folders import LAST_CHECKPOINT
from seqlab.models.training_module import TrainingModule
from seqlab.training.callbacks.checkpoints import Saver, read_checkpoint
from seqlab.training.callbacks.weight_averaging import Averager
from seqlab.training.results import nested


@dataclass(frozen=True)
class FinalWeights:
    """Which weights of a run are evaluated.

    Args:
        name: "best", "last" or "average".
        averaged_steps: the steps whose weights were averaged.
    """

    name: str
    averaged_steps: Sequence[int] | None = None


def final_weights(settings: TrainSettings, model: TrainingModule, saver: Saver, averager: Averager) -> FinalWeights:
    """Loads the weights that the setting `weights` names into the model; returns which they are.

    Raises:
        InputError: there is no checkpoint, for nothing was trained.
    """
    path = saver.folder / f"{settings.weights}.ckpt"
    if not path.is_file():  # "average" has no checkpoint; without a validation split there is no best one
        path = saver.folder / LAST_CHECKPOINT
    if not path.is_file():
        raise InputError(f"nothing was trained: trainer.max_epochs is {settings.trainer.get('max_epochs')}")
    if settings.weights == "average":
        model.load_state_dict(averager.average())
        return FinalWeights("average", averager.steps)
    model.load_state_dict(read_checkpoint(path)["state_dict"])
    return FinalWeights(path.stem)


def measure(trainer: Trainer, model: TrainingModule, data: SequenceData, splits: list[str]) -> dict[str, Any]:
    """The metrics of each split, as split → "kind/name" → value; kinds are teacher_forced, free_running …"""
    trainer.datamodule = data  # type: ignore[attr-defined]
    data.trainer = trainer  # the loaders need its rank and world size
    results = trainer.test(model, [data.evaluation_loader(split) for split in splits], verbose=False)
    metrics = nested({name: value for result in results for name, value in result.items()})
    if isinstance(data, TextPairs):
        for split in splits:
            if split != "train":
                metrics[split] |= copy_nearest_of(data, split)
    return {split: metrics[split] for split in splits}
