"""A training run from beginning to end."""

from __future__ import annotations

import functools
import logging
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import LambdaCallback

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.messages import labelled
from hydra_pruning_sweeper.quoting import quoted, typed_path
from seqlab.code_hash import code
from seqlab.config.data_and_model import build_data, build_model, check_lengths, model_settings
from seqlab.config.keeping import keep_configuration, pinned
from seqlab.config.search_settings import build_search
from seqlab.config.settings import TrainSettings
from seqlab.data.module import SequenceData
from seqlab.dataset_analysis.cautions import cautions, check_targets
from seqlab.dataset_analysis.overlap import leakage_of
from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.files import write_json
from seqlab.folders import BUNDLE, CHECKPOINT, ERROR, PREDICTIONS, RANGE_TEST_TABLE, RESULT, TRAINING_COST, has_begun
from seqlab.inference import bundle
from seqlab.inference.generation_outputs import stream_format
from seqlab.inference.predictor import Predictor
from seqlab.inference.unknown_words import check_replacing
from seqlab.kinds import trust_typed
from seqlab.models.base import parameter_count
from seqlab.models.objective import Objective
from seqlab.models.training_module import TrainingModule, trainable
from seqlab.private_parts import epochs_begun
from seqlab.quiet import quiet
from seqlab.runs.result import RecordedIdentity, RunResult, RunSeconds, TrainingCost
from seqlab.training.callbacks.builders import Callbacks, callbacks_of
from seqlab.training.callbacks.generation_eval import GenerationEval
from seqlab.training.callbacks.precision import precision_facts
from seqlab.training.callbacks.restored_schedules import RestoredSchedules
from seqlab.training.compiling import compile_model
from seqlab.training.error_messages import readable_errors
from seqlab.training.initialization import initialize
from seqlab.training.loggers import Events, MetricsFile
from seqlab.training.lr_finder import find_learning_rate
from seqlab.training.measuring import FinalWeights, final_weights, measure
from seqlab.training.model_card import model_card
from seqlab.training.provenance import command, commit, environment
from seqlab.training.results import predictions_table, print_summary, samples
from seqlab.training.resuming import (
    ResumeCheckpoint,
    RunIdentity,
    SavesIdentity,
    announce_changes,
    epochs_before,
    model_identity,
    seconds_before,
)
from seqlab.training.tracker_loggers import MlflowRun, WandbRun
from seqlab.training.trainer import build_trainer

log = logging.getLogger(__name__)

PICTURED = 100
"""Tokens of a source, and of an output, whose attention TensorBoard shows."""


@dataclass(frozen=True)
class TrainingRun:
    """A run that is set up.

    Args:
        settings: completed by those that the data chose for itself.
        checkpoint: the one from which the run is resumed; None if it is new.
        search: the one of `decoding`.
        saves_identity: the callback that keeps the run's identity in checkpoints.
        started: when the run was started, by time.perf_counter.
    """

    settings: TrainSettings
    data: SequenceData
    model: TrainingModule
    identity: RunIdentity
    checkpoint: ResumeCheckpoint | None
    search: Search
    callbacks: Callbacks
    saves_identity: SavesIdentity
    trainer: Trainer
    started: float

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.settings.run.folder

    @property
    def generated(self) -> list[GenerationEval]:
        """The callbacks that generate, that of `decoding` first."""
        return [one for one in self.callbacks.all if isinstance(one, GenerationEval)]


def train(settings: TrainSettings) -> float | dict[str, float] | None:
    """Trains and evaluates a model and saves it with its results, as the settings say.

    Returns:
        The best value of the monitored validation metric (None without a validation split); in a search of several
        objectives, all values that may be objectives (see `ObjectivesReport`).

    Raises:
        InputError: settings or data that cannot be used.
        RunError: the run has to end (loss not finite, out of memory, stopped).
    """
    quiet()
    folder = settings.run.folder
    with readable_errors(settings.batch_sizes, settings.resume, typed_path(folder)):
        return _train(settings, folder)


def _train(settings: TrainSettings, folder: Path) -> float | dict[str, float] | None:
    started = time.perf_counter()
    commit(), code()  # cached now, because files may change while the run lasts
    settings.free_running.check_as(GenerationEval)  # before data are read, which may take long
    checkpoint = resumed_checkpoint(settings, folder)
    seed_everything(settings.seed, workers=True, verbose=False)

    settings, data, model, identity = build(settings, checkpoint)
    set_up_model(settings, data, model, identity, resumed=checkpoint is not None)
    if settings.find_lr:
        has_begun(folder)
        find_learning_rate(settings, model, data, typed_path(folder) / RANGE_TEST_TABLE)
        return None
    run = set_up(settings, data, model, identity, checkpoint, started)
    if run.trainer.is_global_zero:
        announce_run(run)
        leakage_of(data)  # may take minutes, in which processes that are started later need not wait
        begin_logging(run)
    run.trainer.fit(model, data, ckpt_path=checkpoint.path if checkpoint else None, weights_only=True)
    fitted = time.perf_counter()
    if checkpoint is not None:
        checkpoint.check_steps(run.trainer.global_step)
    training = TrainingCost(**run.callbacks.throughput.result())
    if settings.measure:
        weights = final_weights(settings, model, run.callbacks.saver, run.callbacks.averager)
        metrics = measure(run.trainer, model, data, data.splits)
        if run.trainer.is_global_zero:
            seconds = seconds_of_run(run, fitted)
            save_results(run, result_of_run(run, weights, metrics, training, seconds))
    elif run.trainer.is_global_zero:
        save_cost(run, training)
    return run.callbacks.reached(model)


def build(
    settings: TrainSettings, checkpoint: ResumeCheckpoint | None
) -> tuple[TrainSettings, SequenceData, TrainingModule, RunIdentity]:
    """Builds data and model, and compares them with the checkpoint of a resumed run.

    Returns:
        The settings, completed by those that the data chose for itself; the data; the model; the run's identity, which
        its checkpoints keep.

    Raises:
        InputError: settings or data that cannot be used, or that are not those of the checkpoint.
    """
    identity = RunIdentity(dict(settings.written), code())
    if checkpoint is not None:
        checkpoint.check_settings(identity)
    data = build_data(settings.data)
    if data.pinned_arguments:
        settings = pinned(settings, data.pinned_arguments)
        if settings.run.keeps_configuration:
            keep_configuration(settings)
    model = cast(TrainingModule, build_model(settings.model, data, trainable))
    identity = RunIdentity(dict(settings.written), code(), data.identity(), model_identity(model))
    return settings, data, model, identity if checkpoint is None else checkpoint.resumed(identity)


def resumed_checkpoint(settings: TrainSettings, folder: Path) -> ResumeCheckpoint | None:
    """The checkpoint from which to resume, or None if this is a new run.

    Raises:
        InputError: there is none, or it cannot be used.
    """
    if settings.resume is None:
        return None
    return ResumeCheckpoint(folder / CHECKPOINT, typed_path(folder))


def set_up_model(
    settings: TrainSettings, data: SequenceData, model: TrainingModule, identity: RunIdentity, resumed: bool
) -> None:
    """Gives the model its first weights, and what it trains with: optimizer, schedule and objective.

    Raises:
        InputError: settings that cannot be used.
    """
    model.measure_bytes({split: data.tokens_per_byte(split) for split in data.splits})
    initialize(model, data, settings, resumed=resumed)
    if settings.compile:
        compile_model(model)
    optimizer = settings.optimizer.build()
    schedule = None if settings.find_lr else settings.scheduler  # find_lr sets rates itself; one_cycle changes β₁, too
    scheduler = None if schedule is None else schedule.build()
    objective = settings.objective.build_as(Objective)
    model.configure_training(optimizer, scheduler, objective, epochs_before(identity))


def set_up(
    settings: TrainSettings,
    data: SequenceData,
    model: TrainingModule,
    identity: RunIdentity,
    checkpoint: ResumeCheckpoint | None,
    started: float,
) -> TrainingRun:
    """Builds what trains and evaluates the model: searches, callbacks, loggers and trainer.

    Raises:
        InputError: settings or data that cannot be used, or that do not go together.
    """
    search = build_search(settings.decoding, data.longest_target)
    further = {name: build_search(one, data.longest_target) for name, one in settings.also_decoding.items()}
    for one in (search, *further.values()):
        check_lengths(model, data, one)
        check_replacing(one, model, data.source_tokenizer, data.target_tokenizer, sources=data.has_bos_eos)
    callbacks = callbacks_of(settings, search, further, started)
    loggers = [component.build() for component in settings.logger.values()]
    saves_identity = SavesIdentity(identity, functools.partial(keep_configuration, settings) if checkpoint else None)
    resuming = [saves_identity, *([RestoredSchedules(checkpoint.changed)] if checkpoint else [])]
    begins = LambdaCallback(
        on_train_start=lambda trainer, _: (
            mark_begun(settings.run.folder, checkpoint) if trainer.is_global_zero else None
        )
    )
    trainer = build_trainer(settings.trainer, [begins, *callbacks.all, *resuming], logger=loggers)
    if trainer.world_size > 1 and settings.run.multirun:
        raise InputError(f"-m gives each run one process, but trainer.devices asks for {trainer.world_size}")
    check_targets(data)
    return TrainingRun(settings, data, model, identity, checkpoint, search, callbacks, saves_identity, trainer, started)


def announce_run(run: TrainingRun) -> None:
    """Prints where the run is kept, what resuming changes, and what to expect of its data."""
    print(labelled("run", str(typed_path(run.folder))), flush=True)
    if run.checkpoint is not None:
        announce_changes(run.identity, run.checkpoint.before)
        if longer := run.checkpoint.limit_reached(run.identity):  # a larger limit, to be typed
            again = f"seqlab-train resume={quoted(str(typed_path(run.folder)))} {longer}"
            print(labelled("finished", f"before; its result is shown again. To train longer: {again}"), flush=True)
    for line in cautions(run.data):
        log.warning(line)
    if run.settings.compile:
        print(labelled("compile", "torch.compile works while the first batches run: a minute or more"), flush=True)


def begin_logging(run: TrainingRun) -> None:
    """Lets the loggers of a resumed run go on, and gives all loggers the settings."""
    for logger in run.trainer.loggers:
        if run.checkpoint is not None and isinstance(logger, MetricsFile | Events | WandbRun | MlflowRun):
            logger.resume(run.checkpoint.position.step)  # without what was logged after it, where that can be removed
        if isinstance(logger, Events | WandbRun | MlflowRun):
            logger.add_settings(run.settings.written)


def mark_begun(folder: Path, checkpoint: ResumeCheckpoint | None) -> None:
    """Marks the run as begun and, if it is resumed, as one that has not ended: not failed, and newer than its result.

    Called just before the first step: until then settings may be refused, which leaves everything as it was.
    """
    has_begun(folder)
    if checkpoint is not None:
        for name in (ERROR, TRAINING_COST):
            (folder / name).unlink(missing_ok=True)
        os.utime(checkpoint.path)


def save_cost(run: TrainingRun, training: TrainingCost) -> None:
    """Writes what the training took, and prints the best value: all that is known of a run that is not measured."""
    write_json(run.folder / TRAINING_COST, training.as_json())
    best = "none yet" if run.callbacks.saver.best is None else run.callbacks.saver.best
    print(labelled("best", f"{run.callbacks.saver.monitor} {best}; not evaluated"), flush=True)


def seconds_of_run(run: TrainingRun, fitted: float) -> RunSeconds:
    """The seconds of a run that was measured just now.

    Args:
        fitted: when it had been trained, by time.perf_counter.
    """
    measuring = time.perf_counter() - fitted
    fit = None if run.checkpoint is None else seconds_before(run.folder, run.trainer.global_step)
    if fit is None:
        fit = run.callbacks.throughput.earlier + fitted - run.started
    return RunSeconds(fit=fit, measure=measuring, all=fit + measuring)


def result_of_run(
    run: TrainingRun, weights: FinalWeights, metrics: dict[str, Any], training: TrainingCost, seconds: RunSeconds
) -> RunResult:
    """The result of a run that was measured.

    Args:
        weights: those that were measured.
    """
    data, last = run.data, run.data.splits[-1]
    return RunResult(
        name=run.settings.name,
        command=command(run.settings.run),
        seed=run.settings.seed,
        data=data.describe(),
        examples={split: len(data.examples[split]) for split in data.splits},
        measured={split: len(data.eval_rows(split)) for split in data.splits},
        leakage={split: leakage.to_json() for split, leakage in leakage_of(data).items()},
        parameters=parameter_count(run.model),
        trained_parameters=parameter_count(run.model, trained=True),
        steps=run.trainer.global_step,
        epochs=epochs_begun(run.trainer),
        weights=weights.name,
        averaged_steps=weights.averaged_steps,
        seconds=seconds,
        training=training,
        identity=RecordedIdentity(data=run.identity.data, model=run.identity.model),
        resumed=[asdict(one) for one in run.identity.resumed],
        **precision_facts(run.trainer),
        cuda_graphs=run.callbacks.graphs.facts(),
        environment=environment(run.trainer),
        signatures=run.generated[0].signatures,
        generation={one.kind: one.costs[last] for one in run.generated if last in one.costs},
        metrics=metrics,
        settings=run.settings.written,
    )


def save_results(run: TrainingRun, result: RunResult) -> None:
    """Writes the bundle, `predictions.tsv` and at last `result.json`, which marks a finished run; prints a summary."""
    run.saves_identity.keep_configuration()
    data, model, search = run.data, run.model, run.search
    tokenizers = (data.source_tokenizer, data.target_tokenizer)
    trust = trust_typed(bundle.kinds_of(model, tokenizers, search))
    stream, card = stream_format(data), model_card(result, data, model, trust)
    arguments = model_settings(run.settings.model, data)
    bundle.save(run.folder / BUNDLE, model, arguments, tokenizers, search, stream, card)
    predictions = run.generated[0].predictions[result.main_split]
    write_atomically(run.folder / PREDICTIONS, predictions_table(predictions))
    log_attention(run.trainer, Predictor(model, *tokenizers, search, stream), samples(predictions))
    write_json(run.folder / RESULT, result.as_json())
    print_summary(result, predictions, typed_path(run.folder), trust)


def log_attention(trainer: Trainer, predictor: Predictor, shown: list[Any]) -> None:
    """Gives TensorBoard a picture of the attention for one of the predictions that are shown, of middle length.

    Texts of more than `PICTURED` tokens are left out: nobody can read their picture.
    """
    loggers = [logger for logger in trainer.loggers if isinstance(logger, Events)]
    if not loggers or predictor.stream is not None or not predictor.model.attends:
        return
    sources = [one.source for one in shown if 0 < len(predictor.encode(one.source)) <= PICTURED]
    if sources:
        predictor.search = replace(predictor.search, max_length=min(predictor.search.max_length, PICTURED))
        looks = predictor.attention(sources[len(sources) // 2])
        for logger in loggers:
            logger.add_attention(looks, trainer.global_step)
