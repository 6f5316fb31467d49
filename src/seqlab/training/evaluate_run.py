"""Measuring a finished run anew, with another search or on another split."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any, cast

from lightning.pytorch import seed_everything
from rich.console import Console

from hydra_pruning_sweeper.differences import differences, listed
from seqlab.config.data_and_model import build_data
from seqlab.config.plain import kept_run, kept_start
from seqlab.config.search_settings import search_again
from seqlab.config.settings import EvaluateSettings
from seqlab.dataset_analysis.cautions import cautions
from seqlab.errors import InputError
from seqlab.files import write_json
from seqlab.inference import bundle
from seqlab.inference.unknown_words import check_replacing
from seqlab.kinds import EVERYTHING
from seqlab.models.training_module import TrainingModule, trainable
from seqlab.quiet import quiet
from seqlab.text.plain_json import read_json
from seqlab.text.tokenizers import to_json
from seqlab.training.callbacks.generation_eval import GenerationEval
from seqlab.training.callbacks.precision import precision_facts
from seqlab.training.measuring import measure
from seqlab.training.provenance import environment
from seqlab.training.results import metrics_table
from seqlab.training.trainer import build_trainer

log = logging.getLogger(__name__)


def evaluate(settings: EvaluateSettings) -> None:
    """Measures the bundle of a run on some splits of its data; prints and keeps `evaluation.json`.

    Raises:
        InputError: no finished run there, a split that the data does not have, or data of other vocabularies.
    """
    quiet()
    folder = Path(settings.run).resolve()
    predictor = bundle.load(folder, EVERYTHING, trainable)
    kept = kept_run(folder, settings.data)
    seed_everything(kept.seed, workers=True, verbose=False)
    with contextlib.chdir(_working_directory(folder)):
        data = build_data(kept.data)
    splits = list(settings.splits)
    missing = [split for split in splits if split not in data.splits]
    if missing:
        raise InputError(f"splits: the data has {', '.join(data.splits)}, but not {', '.join(missing)}")
    for side in ("source", "target"):
        if to_json(getattr(data, f"{side}_tokenizer")) != to_json(getattr(predictor, f"{side}_tokenizer")):
            raise InputError(
                f"{folder}: the data's {side} vocabulary is not the model's: is it another file than the run was"
                " trained on?"
            )
    identity = data.identity()
    other = differences({"data": _identity(folder)}, {"data": identity})
    for line in cautions(data):
        log.warning(line)
    model = cast(TrainingModule, predictor.model)
    model.measure_bytes({split: data.tokens_per_byte(split) for split in splits})
    search = search_again(settings.decoding, predictor.search, data.longest_target)
    check_replacing(search, model, data.source_tokenizer, data.target_tokenizer, sources=data.has_bos_eos)
    free_running = GenerationEval(search, metrics=kept.metrics)
    if settings.trainer.get("precision") == "auto":
        settings = settings.with_precision(_precision(folder))
    trainer = build_trainer(settings.trainer, [free_running], logger=False)
    metrics = measure(trainer, model, data, splits)
    if trainer.is_global_zero:
        result = {
            "data": data.describe(),
            "identity": {"data": identity},
            "other_data": {one.name: [one.old, one.new] for one in other},
            "metrics": metrics,
            "signatures": free_running.signatures,
            **precision_facts(trainer),
            "environment": environment(trainer),
            "settings": settings.written,
        }
        write_json(folder / "evaluation.json", result)
        metrics_table(metrics).show(Console(highlight=False))
        if other:
            print(f"note        not the data that the run was measured on: {listed(other)}")
        print(f"kept in {settings.run}/evaluation.json")


def _identity(folder: Path) -> dict[str, Any]:
    """What the run's own data was."""
    identity = read_json(folder / "result.json", dict).get("identity")
    if not (isinstance(identity, dict) and isinstance(identity.get("data"), dict)):
        raise InputError(f"{folder / 'result.json'}: does not say what data the run had: it is of an earlier seqlab")
    return cast(dict[str, Any], identity["data"])


def _precision(folder: Path) -> str:
    """What the run was trained and measured in, whoever chose it."""
    path = folder / "result.json"
    try:
        return str(read_json(path, dict)["precision"])
    except KeyError:
        raise InputError(f"{path}: no precision in it; say which: trainer.precision=32-true") from None


def _working_directory(folder: Path) -> Path:
    """Where the run was started: its relative paths are meant from there."""
    directory = kept_start(folder).directory
    return directory if directory.is_dir() else Path.cwd()
