"""A training run from beginning to end, and the measuring of a finished one."""

from __future__ import annotations

import logging
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, cast

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch import Callback, Trainer, seed_everything
from omegaconf import DictConfig, OmegaConf

from seqlab.data.module import SequenceData
from seqlab.data.text_pairs import TextPairs
from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.files import write_atomically
from seqlab.models.base import Seq2Seq
from seqlab.models.objective import Objective
from seqlab.training import bundle
from seqlab.training.averaging import Averager
from seqlab.training.baselines import copy_nearest_of
from seqlab.training.build import build, build_each, build_settings, check_arguments, takes
from seqlab.training.card import card
from seqlab.training.checkpoints import Saver, read_checkpoint
from seqlab.training.compiling import compile_model
from seqlab.training.environment import code, command, commit, environment
from seqlab.training.failures import explained
from seqlab.training.free_running import FreeRunning
from seqlab.training.leakage import leakage_of
from seqlab.training.loggers import Events, MetricsFile
from seqlab.training.precision import precision_facts
from seqlab.training.range_test import find_learning_rate
from seqlab.training.results import nested, predictions_table, print_summary, write_json
from seqlab.training.settling import settle
from seqlab.training.starting import start
from seqlab.training.streams import stream_format
from seqlab.training.throughput import Throughput
from seqlab.training.trainer import build_trainer


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
    checkpoint = resumed_checkpoint(config, folder)
    seed_everything(config.seed, workers=True, verbose=False)

    data = build_data(config.data)
    settle(config, data.settled)
    model = build_model(config.model, data)
    model.measure_bytes({split: data.tokens_per_byte(split) for split in data.splits})
    start(model, data, config, resumed=checkpoint is not None)
    if config.compile:
        compile_model(model)
    optimizer = build(config.optimizer, "optimizer")
    scheduled = config.scheduler and not config.find_lr  # the test sets rates itself, one_cycle changes Adam's β₁ too
    scheduler = build(config.scheduler, "scheduler") if scheduled else None
    model.configure_training(optimizer, scheduler, build_settings(Objective, config.objective, "objective"))
    if config.find_lr:
        find_learning_rate(config, model, data, _shown(folder) / "lr_find.csv")
        return None
    search = build_search(config, data.longest_target)
    check_lengths(model, data, search)
    callbacks = callbacks_of(config, search, started)
    loggers = list(build_each(config.logger, "logger").values())
    trainer = build_trainer(config, callbacks.all, logger=loggers)
    if trainer.world_size > 1 and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise InputError(f"-m runs in one process each, but trainer.devices asks for {trainer.world_size}")

    if trainer.is_global_zero:
        print(f"run         {_shown(folder)}", flush=True)
        leakage_of(data)  # may take a while: before other processes are started and wait
    resume_loggers(loggers, checkpoint)
    trainer.fit(model, data, ckpt_path=checkpoint, weights_only=True)
    fitted = time.perf_counter()
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
        facts = {**steps, "seconds": seconds, "training": training}
        keep(folder, config, data, model, trainer, metrics, facts)
    return callbacks.saver.best


def build_data(config: DictConfig) -> SequenceData:
    """The dataset, its examples and tokenizers in memory.

    Raises:
        InputError: settings or files that cannot be used.
    """
    data: SequenceData = build(config, "data", SequenceData)
    try:
        data.prepare_data()
        data.setup("fit")
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"data: {error}") from error
    return data


def build_model(config: DictConfig, data: SequenceData) -> Seq2Seq:
    """The architecture of a config of conf/model, for a dataset.

    Raises:
        InputError: settings that cannot be used.
    """
    model: Seq2Seq = build(config, "model", Seq2Seq, **told_of(data, config))
    return model


def told_of(data: SequenceData, config: DictConfig) -> dict[str, Any]:
    """What a model is told of its data: how many ids there are and, where it takes `sources`, whether there are any."""
    told = {"source_size": data.source_size, "target_size": data.target_size}
    return told | ({"sources": data.longest_source > 0} if takes(config, "sources") else {})


def check_lengths(model: Seq2Seq, data: SequenceData, search: Search) -> None:
    """Holds the longest example and the longest output against what the model can count to, before it meets them.

    (Of a text that it continues a model sees no more than it was trained on, however long the text grows.)

    Raises:
        InputError: they are too long.
    """
    said = search.max_length if data.framed else 0
    try:
        model.check_lengths(data.longest_source, max(data.longest_target, said))
    except InputError as error:
        raise InputError(f"{data.describe()}: {error}") from None


def check_settings(config: DictConfig) -> None:
    """Holds the settings that no constructor takes against what they may be.

    Raises:
        InputError: one is of another kind.
    """
    if not isinstance(config.seed, int) or not 0 <= config.seed < 2**32:
        raise InputError(f"seed must be an integer of 0 to 2³² − 1, but is {config.seed!r}")
    if config.weights not in ("best", "last", "average"):
        raise InputError(f"weights must be best, last or average, but is {config.weights!r}")
    for name in ("find_lr", "compile", "measure"):
        if not isinstance(config[name], bool):
            raise InputError(f"{name} must be true or false, but is {config[name]!r}")
    if config.find_lr and config.resume is not None:
        raise InputError(f"find_lr looks for a rate to begin with, but this run is resumed from {config.resume}")
    check_arguments(FreeRunning, plain(config.free_running), "free_running")
    norm = OmegaConf.select(config, "trainer.gradient_clip_val")
    if isinstance(norm, int | float) and norm <= 0:  # Lightning would not clip, and not say so
        raise InputError(f"trainer.gradient_clip_val must be above 0, or null for no limit, but is {norm}")
    if config.model_size is not None:
        check_size(config.model_size)


def check_size(size: str) -> None:
    """Sees to it that the model has a size of this name: where it has none, Hydra leaves the model as it is.

    Raises:
        InputError: it has none.
    """
    hydra = HydraConfig.get()
    chosen = hydra.runtime.choices["sizes@model"]
    loader, flags = GlobalHydra.instance().config_loader(), list(hydra.overrides.hydra)
    if chosen not in loader.get_group_options("sizes", config_name=hydra.job.config_name, overrides=flags):
        raise InputError(
            f"model_size={size}: no sizes/{chosen}.yaml among the configurations, so this model has no such size; write"
            " that file beside conf/model, or leave model_size out"
        )


def resumed_checkpoint(config: DictConfig, folder: Path) -> Path | None:
    """The checkpoint to go on from, if the run is a resumed one.

    Raises:
        InputError: there is none.
    """
    if config.resume is None:
        return None
    checkpoint = folder / "checkpoints" / "last.ckpt"
    if not checkpoint.is_file():
        raise InputError(f"{checkpoint}: no such checkpoint; this run never saved one, so start it anew")
    return checkpoint


class Callbacks(NamedTuple):
    """Everything that watches a run, and those parts of it that are asked when training is over."""

    all: list[Callback]
    saver: Saver
    throughput: Throughput
    averager: Averager  # among `all` only where averaged weights are asked for


def callbacks_of(config: DictConfig, search: Search, began: float | None = None) -> Callbacks:
    """The callbacks of `config`, and those that every run has; `began` as in `Throughput`.

    Raises:
        InputError: settings that one does not take, or none that saves the weights.
    """
    callbacks = build_each(config.callbacks, "callbacks")
    callbacks["free_running"] = FreeRunning(search, **config.free_running)
    callbacks["throughput"] = throughput = Throughput(began)
    saver = callbacks.get("saver")
    if not isinstance(saver, Saver):
        raise InputError("callbacks.saver must be there: without it nothing is kept")
    averager = build_settings(Averager, config.average, "average", saver=saver)
    if config.weights == "average":
        callbacks["averager"] = averager
    return Callbacks(list(callbacks.values()), saver, throughput, averager)


def resume_loggers(loggers: list[Any], checkpoint: Path | None) -> None:
    """Takes out of the logs in the run's folder what was logged after the checkpoint, if there is one."""
    if checkpoint is None:
        return
    step = read_checkpoint(checkpoint)["global_step"]
    for logger in loggers:
        if isinstance(logger, MetricsFile | Events):
            logger.resume(step)


def build_search(config: DictConfig, longest: int | None) -> Search:
    """The search of `config.decoding`; where it names no `max_length`, it stops at `longest`.

    Raises:
        InputError: settings that the search does not take.
    """
    search: Search = build(config.decoding, "decoding", Search, **search_limit(config, longest))
    return search


def search_again(config: DictConfig, own: Search, longest: int) -> Search:
    """How to search with a trained model: as `config.decoding` says, by its `own` search where that is null.

    Settings without a search are changes to the model's own.

    Raises:
        InputError: settings that the search does not take.
    """
    if config.decoding is None:
        return own
    if "_target_" in config.decoding:
        return build_search(config, longest)
    settings = asdict(own)
    if unknown := [str(name) for name in config.decoding if name not in settings]:
        raise InputError(
            f"decoding.{unknown[0]}: unknown key; the model's own search is {type(own).__name__}, which takes"
            f" {', '.join(settings)}; choose decoding=greedy, beam or sample for another"
        )
    kept = {name: value for name, value in settings.items() if name not in config.decoding}
    search: Search = build_settings(type(own), config.decoding, "decoding", **kept)
    return search


def search_limit(config: DictConfig, longest: int | None) -> dict[str, Any]:
    """`longest` as the limit of a search that names none itself."""
    unlimited = isinstance(config.decoding, DictConfig) and config.decoding.get("max_length") is None
    return {"max_length": longest} if unlimited else {}


def final_weights(config: DictConfig, model: Seq2Seq, saver: Saver, averager: Averager) -> dict[str, Any]:
    """Gives the model the weights that `config.weights` asks for, and tells which they are.

    Raises:
        InputError: there are none.
    """
    path = saver.folder / f"{config.weights}.ckpt"
    if not path.is_file():  # nothing was validated, so there is no best; or an average, which is of other files
        path = saver.folder / "last.ckpt"
    if not path.is_file():
        raise InputError(f"nothing was trained: trainer.max_epochs is {config.trainer.max_epochs}")
    if config.weights == "average":
        model.load_state_dict(averager.average())
        return {"weights": "average", "averaged_steps": averager.steps}
    model.load_state_dict(read_checkpoint(path)["state_dict"])
    return {"weights": path.stem}


def measure(trainer: Trainer, model: Seq2Seq, data: SequenceData, splits: list[str]) -> dict[str, Any]:
    """Teacher-forced and free-running metrics of each split, nested as split → kind/name → value."""
    trainer.datamodule = data  # type: ignore[attr-defined]
    data.trainer = trainer  # loaders ask it for their share
    results = trainer.test(model, [data.evaluation_loader(split) for split in splits], verbose=False)
    metrics = nested({name: value for result in results for name, value in result.items()})
    if isinstance(data, TextPairs):
        for split in splits:
            if split != "train":
                metrics[split] |= copy_nearest_of(data, split)
    return {split: metrics[split] for split in splits}


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
    model_config = plain(config.model, resolve=True) | told_of(data, config.model)
    search_config = plain(config.decoding, resolve=True) | search_limit(config, data.longest_target)
    tokenizers = (data.source_tokenizer, data.target_tokenizer)
    free_running = next(c for c in trainer.callbacks if isinstance(c, FreeRunning))  # type: ignore[attr-defined]
    shown = next(split for split in ("test", "val", "train") if split in data.splits)
    result = {
        "name": config.name,
        "command": command(),
        "seed": config.seed,
        "data": data.describe(),
        "examples": {split: len(data.examples[split]) for split in data.splits},
        "measured": {split: len(data.measured(split)) for split in data.splits},
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
    stream, about = stream_format(data), card(result, data, model)
    bundle.save(folder / "bundle", model, model_config, tokenizers, search_config, stream, about)
    write_atomically(folder / "predictions.tsv", predictions_table(free_running.predictions[shown]))
    write_json(folder / "result.json", result)
    print_summary(result, free_running.predictions[shown][:5], _shown(folder))


def quiet() -> None:
    """Leaves Lightning's advice out of the output; its errors stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", module="torchmetrics")
    warnings.filterwarnings("ignore", message=".*compute.*method of metric.*")


def plain(config: DictConfig, resolve: bool = False) -> dict[str, Any]:
    """Settings as plain data; unresolved they name no folder of this machine."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=resolve))


def _shown(folder: Path) -> Path:
    """A folder as the user would type it: relative where it lies below the working directory."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
