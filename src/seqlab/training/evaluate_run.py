"""Evaluates a finished run again, with another search or on another split."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from lightning.pytorch import seed_everything
from rich.console import Console

from hydra_pruning_sweeper.differences import Difference, differences, listed
from hydra_pruning_sweeper.messages import labelled, wrapped
from seqlab.config.data_and_model import build_data
from seqlab.config.plain import kept_run, kept_start
from seqlab.config.search_settings import search_again
from seqlab.config.settings import EvaluateSettings
from seqlab.data.module import SequenceData
from seqlab.dataset_analysis.cautions import cautions
from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.files import write_json
from seqlab.folders import EVALUATION, RESULT
from seqlab.inference import bundle
from seqlab.inference.predictor import Predictor
from seqlab.inference.unknown_words import check_replacing
from seqlab.kinds import EVERYTHING
from seqlab.models.training_module import TrainingModule, trainable
from seqlab.quiet import quiet
from seqlab.runs.result import Metrics, RunResult
from seqlab.text.tokenizers import to_json
from seqlab.training.callbacks.generation_eval import GenerationEval
from seqlab.training.callbacks.precision import precision_facts
from seqlab.training.callbacks.progress import Progress
from seqlab.training.measuring import measure
from seqlab.training.provenance import environment
from seqlab.training.results import behind_copying, metrics_table, seeming_contradictions
from seqlab.training.trainer import build_trainer

log = logging.getLogger(__name__)


def evaluate(settings: EvaluateSettings) -> None:
    """Evaluates the bundle of a run on some splits of its data; prints the metrics and writes `evaluation.json`.

    Raises:
        InputError: the run has not finished, the data lacks a split, or its vocabularies are not the model's.
    """
    quiet()
    folder = Path(settings.run).resolve()
    predictor = bundle.load(folder, EVERYTHING, trainable)
    kept, before = kept_run(folder, settings.data), RunResult.read(folder)
    seed_everything(kept.seed, workers=True, verbose=False)
    with contextlib.chdir(_working_directory(folder)):
        data = build_data(kept.data)
    splits = settings.splits or (before.main_split,)
    check_data(data, predictor, splits, folder)
    if before.identity.data is None:
        raise InputError(f"{folder / RESULT}: does not say what data the run had: it is of an earlier seqlab")
    identity = data.identity()
    other_data = differences({"data": before.identity.data}, {"data": identity})
    for line in cautions(data):
        log.warning(line)
    model = cast(TrainingModule, predictor.model)
    model.measure_bytes({split: data.tokens_per_byte(split) for split in splits})
    search = search_again(settings.decoding, predictor.search, data.longest_target)
    check_replacing(search, model, data.source_tokenizer, data.target_tokenizer, sources=data.has_bos_eos)
    free_running = GenerationEval(search, metrics=kept.metrics)
    if settings.trainer.get("precision") == "auto":
        if before.precision is None:
            raise InputError(f"{folder / RESULT}: no precision in it; say which: trainer.precision=32-true")
        settings = settings.with_precision(before.precision)
    trainer = build_trainer(settings.trainer, [free_running, Progress()], logger=False)
    if trainer.is_global_zero:
        print(labelled("search", _in_words(search, predictor.search)), flush=True)
    metrics = measure(trainer, model, data, list(splits))
    if trainer.is_global_zero:
        evaluation = {
            "data": data.describe(),
            "identity": {"data": identity},
            "other_data": {one.name: [one.old, one.new] for one in other_data},
            "metrics": metrics,
            "signatures": free_running.signatures,
            "generation": {free_running.kind: free_running.costs[splits[-1]]} if free_running.costs else {},
            **precision_facts(trainer),
            "environment": environment(trainer),
            "settings": settings.written,
        }
        write_json(folder / EVALUATION, evaluation)
        print_evaluation(metrics, other_data)
        print(wrapped(f"kept in {settings.run}/{EVALUATION}"))


def _in_words(search: Search, of_run: Search) -> str:
    """How outputs are searched for, and how the run did it if that was another way."""
    return repr(search) if search == of_run else f"{search!r}; the run used {of_run!r}"


def check_data(data: SequenceData, predictor: Predictor, splits: Sequence[str], folder: Path) -> None:
    """Checks that the data has these splits, and exactly the tokenizers of the model in the folder.

    Raises:
        InputError: it does not.
    """
    if missing := [split for split in splits if split not in data.splits]:
        raise InputError(f"splits: the data has {', '.join(data.splits)}, but not {', '.join(missing)}")
    for side in ("source", "target"):
        if to_json(getattr(data, f"{side}_tokenizer")) != to_json(getattr(predictor, f"{side}_tokenizer")):
            raise InputError(
                f"{folder}: the data's {side} vocabulary is not the model's: is it another file than the run was"
                " trained on?"
            )


def print_evaluation(metrics: Metrics, other_data: Sequence[Difference]) -> None:
    """Prints the metrics, with notes on them, and how the data differs from that of the run."""
    metrics_table(metrics).show(Console(highlight=False))
    for line in [*seeming_contradictions(metrics), *behind_copying(metrics)]:
        print(wrapped(line))
    if other_data:
        print(labelled("note", f"not the data that the run was measured on: {listed(other_data)}"))


def _working_directory(folder: Path) -> Path:
    """The folder in which the run was started, to which its relative paths refer."""
    directory = kept_start(folder).directory
    return directory if directory.is_dir() else Path.cwd()
