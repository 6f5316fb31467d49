"""A training run from beginning to end."""

from __future__ import annotations

import functools
import logging
import time
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch import Trainer, seed_everything
from omegaconf import DictConfig

from hydra_pruning_sweeper.atomic_files import write_atomically
from seqlab.config.data_and_model import build_data, build_model, build_search, check_lengths, model_settings
from seqlab.config.instantiate import build, build_each, build_settings
from seqlab.config.pinned_settings import keep_configuration, settle
from seqlab.config.settings import check_settings, plain
from seqlab.data.module import SequenceData
from seqlab.dataset_analysis.cautions import cautions
from seqlab.dataset_analysis.overlap import leakage_of
from seqlab.errors import InputError
from seqlab.files import write_json
from seqlab.folders import has_begun
from seqlab.inference import bundle
from seqlab.inference.streams import stream_format
from seqlab.inference.unknown_words import check_replacing
from seqlab.kinds import trust_typed
from seqlab.models.base import Seq2Seq
from seqlab.models.objective import Objective
from seqlab.quiet import quiet
from seqlab.training.callbacks.builders import callbacks_of, check_callback_settings
from seqlab.training.callbacks.generation_eval import GenerationEval
from seqlab.training.callbacks.precision import precision_facts
from seqlab.training.compiling import compile_model
from seqlab.training.error_messages import explained
from seqlab.training.initialization import start
from seqlab.training.loggers import Events, MetricsFile
from seqlab.training.lr_finder import find_learning_rate
from seqlab.training.measuring import final_weights, measure
from seqlab.training.model_card import card
from seqlab.training.provenance import code, command, commit, environment
from seqlab.training.results import predictions_table, print_summary
from seqlab.training.resuming import (
    ChangedRates,
    Checkpoint,
    KeepsIdentity,
    RunIdentity,
    announce,
    epochs_before,
    facts_of,
    model_identity,
)
from seqlab.training.trainer import build_trainer

log = logging.getLogger(__name__)


def train(config: DictConfig) -> float | None:
    """Trains, measures and keeps a model as `config` says.

    Returns:
        The monitored validation metric at its best (None without a validation split).

    Raises:
        InputError: settings or data that cannot be used.
        RunError: the run cannot go on (loss not finite, out of memory, stopped).
    """
    quiet()
    folder = Path(HydraConfig.get().runtime.output_dir)
    with explained(config, _shown(folder)):
        return _train(config, folder)


def _train(config: DictConfig, folder: Path) -> float | None:
    started = time.perf_counter()
    commit(), code()  # of what is about to run, whatever happens to the files meanwhile
    check_settings(config)
    check_callback_settings(config)
    checkpoint = resumed_checkpoint(config, folder)
    seed_everything(config.seed, workers=True, verbose=False)

    data, model, identity = begin(config, checkpoint)
    model.measure_bytes({split: data.tokens_per_byte(split) for split in data.splits})
    start(model, data, config, resumed=checkpoint is not None)
    if config.compile:
        compile_model(model)
    optimizer = build(config.optimizer, "optimizer")
    scheduled = config.scheduler and not config.find_lr  # the test sets rates itself, one_cycle changes Adam's β₁ too
    scheduler = build(config.scheduler, "scheduler") if scheduled else None
    objective = build_settings(Objective, config.objective, "objective")
    model.configure_training(optimizer, scheduler, objective, epochs_before(identity))
    if config.find_lr:
        has_begun(folder)
        find_learning_rate(config, model, data, _shown(folder) / "lr_find.csv")
        return None
    search = build_search(config, data.longest_target)
    check_lengths(model, data, search)
    check_replacing(search, model, data.source_tokenizer, data.target_tokenizer, sources=data.has_bos_eos)
    callbacks = callbacks_of(config, search, started)
    loggers = list(build_each(config.logger, "logger").values())
    keeps = KeepsIdentity(identity, functools.partial(keep_configuration, config) if checkpoint else None)
    history = [keeps, *([ChangedRates(checkpoint.changed)] if checkpoint else [])]
    trainer = build_trainer(config, [*callbacks.all, *history], logger=loggers)
    if trainer.world_size > 1 and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise InputError(f"-m runs in one process each, but trainer.devices asks for {trainer.world_size}")

    if trainer.is_global_zero:
        print(f"run         {_shown(folder)}", flush=True)
        if checkpoint is not None:
            announce(identity, checkpoint.before)
        for line in cautions(data):
            log.warning(line)
        leakage_of(data)  # may take a while: before other processes are started and wait
        resume_loggers(loggers, checkpoint)
        has_begun(folder)
    trainer.fit(model, data, ckpt_path=checkpoint.path if checkpoint else None, weights_only=True)
    fitted = time.perf_counter()
    if checkpoint is not None:
        checkpoint.check_steps(trainer.global_step)
    if not config.measure:
        if trainer.is_global_zero:
            print(f"best        {callbacks.saver.monitor} {callbacks.saver.best}; not measured", flush=True)
        return callbacks.saver.best

    weights = final_weights(config, model, callbacks.saver, callbacks.averager)
    training = callbacks.throughput.result()
    metrics = measure(trainer, model, data, data.splits)
    if trainer.is_global_zero:
        measured = time.perf_counter()
        fit, measuring = callbacks.throughput.earlier + fitted - started, measured - fitted
        seconds = {"fit": fit, "measure": measuring, "all": fit + measuring}
        steps = {"steps": trainer.global_step, "epochs": trainer.current_epoch, **weights}
        facts = {**steps, "seconds": seconds, "training": training, **facts_of(identity)}
        keeps.keep_configuration()
        keep(folder, config, data, model, trainer, metrics, facts)
    return callbacks.saver.best


def begin(config: DictConfig, checkpoint: Checkpoint | None) -> tuple[SequenceData, Seq2Seq, RunIdentity]:
    """The data and the model of a run, and what it says of itself: compared with the checkpoint, if there is one.

    Raises:
        InputError: settings or data that cannot be used, or that are not those of the checkpoint.
    """
    identity = RunIdentity(plain(config), code())
    if checkpoint is not None:
        checkpoint.check_settings(identity)
    data = build_data(config.data)
    settle(config, data.settled)
    model = build_model(config.model, data)
    identity = RunIdentity(plain(config), code(), data.identity(), model_identity(model))
    return data, model, identity if checkpoint is None else checkpoint.resumed(identity)


def resumed_checkpoint(config: DictConfig, folder: Path) -> Checkpoint | None:
    """The checkpoint to go on from, if the run is a resumed one.

    Raises:
        InputError: there is none, or not one that can be used.
    """
    if config.resume is None:
        return None
    path = folder / "checkpoints" / "last.ckpt"
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; this run never saved one, so start it anew")
    return Checkpoint(path, _shown(folder))


def resume_loggers(loggers: list[Any], checkpoint: Checkpoint | None) -> None:
    """Takes out of the logs in the run's folder what was logged after the checkpoint, if there is one."""
    if checkpoint is None:
        return
    for logger in loggers:
        if isinstance(logger, MetricsFile | Events):
            logger.resume(checkpoint.progress.step)


def keep(
    folder: Path,
    config: DictConfig,
    data: SequenceData,
    model: Seq2Seq,
    trainer: Trainer,
    metrics: dict[str, Any],
    facts: dict[str, Any],
) -> None:
    """Writes the bundle, `predictions.tsv` and, last of all, `result.json`; prints the summary."""
    settings, search = model_settings(config.model, data), build_search(config, data.longest_target)
    tokenizers = (data.source_tokenizer, data.target_tokenizer)
    free_running = next(c for c in trainer.callbacks if isinstance(c, GenerationEval))  # type: ignore[attr-defined]
    shown = next(split for split in ("test", "val", "train") if split in data.splits)
    result = {
        "name": config.name,
        "command": command(),
        "seed": config.seed,
        "data": data.describe(),
        "examples": {split: len(data.examples[split]) for split in data.splits},
        "measured": {split: len(data.eval_rows(split)) for split in data.splits},
        "leakage": {split: leakage.to_json() for split, leakage in leakage_of(data).items()},
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        **facts,
        **precision_facts(trainer),
        "environment": environment(trainer),
        "signatures": free_running.signatures,
        "metrics": metrics,
        "settings": plain(config),
    }
    trust = trust_typed(bundle.kinds_of(model, tokenizers, search))
    stream, about = stream_format(data), card(result, data, model, trust)
    bundle.save(folder / "bundle", model, settings, tokenizers, search, stream, about)
    write_atomically(folder / "predictions.tsv", predictions_table(free_running.predictions[shown]))
    write_json(folder / "result.json", result)
    print_summary(result, free_running.predictions[shown][:5], _shown(folder), trust)


def _shown(folder: Path) -> Path:
    """A folder as the user would type it: relative where it lies below the working directory."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
