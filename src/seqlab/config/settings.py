"""The settings of each command, checked and typed; of those that take a bundle, in `bundle_settings`. Nothing here
imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from glob import has_magic
from pathlib import Path
from typing import Any, Literal

from hydra import compose
from omegaconf import DictConfig, OmegaConf

from hydra_pruning_sweeper.execution.slot_count import AUTO
from seqlab import paths
from seqlab.config.component import Component, components_of
from seqlab.config.hydra_run import HydraRun
from seqlab.config.plain import plain
from seqlab.config.setting_checks import (
    check_choice,
    check_count,
    check_truth,
    optional_component,
    texts_of,
    without_containers,
)
from seqlab.errors import InputError
from seqlab.folders import bundle_folder
from seqlab.hub_models import PREFIX
from seqlab.kinds import Trust
from seqlab.private_parts import options_of

SINGLE_PATHS = ("seqlab.data.anki.Anki", "seqlab.data.documents.Documents")
"""Datasets whose `path` names a file or folder."""
NUMBERS = ("reversal", "toy")
"""Data whose symbols are numbers instead of text."""
KINDS = ("teacher_forced", "free_running", "copy_nearest")
"""Kinds of metrics that every run may have."""
SIZES = ("batch_size", "eval_batch_size")
AT_LEAST = {"accumulate_grad_batches": 1, "check_val_every_n_epoch": 1, "log_every_n_steps": 0}
"""Settings of the trainer, and their least value."""
ABOVE_ZERO = {"gradient_clip_val": "no limit", "limit_train_batches": "all", "val_check_interval": "once per epoch"}
"""Settings of the trainer that must be above zero, and what null means."""


@dataclass(frozen=True)
class TrainSettings:
    """conf/train.yaml; its comments say what each setting means.

    Args:
        run: how Hydra started the run.
        written: the whole configuration as plain data, unresolved, as it is saved and compared.
    """

    name: str
    seed: int
    weights: str
    resume: str | None
    measure: bool
    compile: bool
    cuda_graphs: bool | Literal["auto"]
    find_lr: bool
    data: Component
    model: Component
    optimizer: Component
    scheduler: Component | None
    trainer: Component
    callbacks: Mapping[str, Component]
    logger: Mapping[str, Component]
    decoding: Component
    also_decoding: Mapping[str, Component]
    objective: Component
    initialisation: Component
    average: Component
    free_running: Component
    initial_weights: str | None
    trust: Trust
    freeze: tuple[str, ...]
    run: HydraRun
    written: Mapping[str, Any]

    @property
    def batch_sizes(self) -> dict[str, Any]:
        """The settings to lower when memory runs out."""
        return _batch_sizes(self.data.settings)


@dataclass(frozen=True)
class EvaluateSettings:
    """conf/evaluate.yaml; its comments say what each setting means.

    Args:
        data: changes to the settings of the run's data, unresolved.
        written: the whole configuration as plain data, unresolved.
    """

    run: str
    splits: tuple[str, ...] | None
    data: Mapping[str, Any]
    decoding: Component | None
    trainer: Component
    written: Mapping[str, Any]

    @property
    def batch_sizes(self) -> dict[str, Any]:
        """The settings to lower when memory runs out, if they were typed."""
        return _batch_sizes(self.data)

    def with_precision(self, precision: str) -> EvaluateSettings:
        """A copy with another precision."""
        written = {**self.written, "trainer": {**self.written["trainer"], "precision": precision}}
        return replace(self, trainer=self.trainer.with_settings(precision=precision), written=written)


@dataclass(frozen=True)
class DescribeSettings:
    """conf/describe.yaml; its comments say what each setting means."""

    data: Component
    model: Component | None
    output: str | None

    @property
    def batch_sizes(self) -> dict[str, Any]:
        """The settings to lower when memory runs out."""
        return _batch_sizes(self.data.settings)


@dataclass(frozen=True)
class ReportSettings:
    """conf/report.yaml; its comments say what each setting means."""

    output: Path
    outputs: Path
    runs: tuple[Path, ...] | None
    trust: Trust


@dataclass(frozen=True)
class ReproduceSettings:
    """conf/reproduce.yaml; its comments say what each setting means."""

    claims: tuple[str, ...] | None
    profile: str
    jobs: int | str | None
    run: bool
    any_code: bool
    ledger: Path | None
    folder: Path
    references: Path


@dataclass(frozen=True)
class SweepCommandSettings:
    """conf/sweep.yaml; its comments say what each setting means. (A study's own settings are the sweeper's.)"""

    action: str
    study: str | None
    folder: str
    storage: str | None


def read_train(config: DictConfig, run: HydraRun) -> TrainSettings:
    """The settings of a training run.

    Raises:
        InputError: one has a value that is not allowed, or excludes another.
    """
    _check_train(config, run)
    data = _data(config)
    model = Component.of(config.model, "model")
    model.check_names()
    return TrainSettings(
        name=config.name,
        seed=config.seed,
        weights=config.weights,
        resume=config.resume,
        measure=config.measure,
        compile=config.compile,
        cuda_graphs=config.cuda_graphs,
        find_lr=config.find_lr,
        data=data,
        model=model,
        optimizer=Component.of(config.optimizer, "optimizer"),
        scheduler=Component.of(config.scheduler, "scheduler") if config.scheduler else None,
        trainer=Component.of(config.trainer, "trainer"),
        callbacks=components_of(config.callbacks, "callbacks"),
        logger=components_of(config.logger, "logger"),
        decoding=Component.of(config.decoding, "decoding"),
        also_decoding=_also_decoding(config),
        objective=Component.of(config.objective, "objective"),
        initialisation=Component.of(config.initialisation, "initialisation"),
        average=Component.of(config.average, "average"),
        free_running=Component.of(config.free_running, "free_running"),
        initial_weights=None if config.initial_weights is None else str(config.initial_weights),
        trust=Trust.of(without_containers(config.trust)),
        freeze=texts_of(config, "freeze"),
        run=run,
        written=plain(config),
    )


def check_files(config: DictConfig) -> None:
    """Checks before a search starts that the files and folders exist from which its trials are to read their data.

    Raises:
        InputError: one does not.
    """
    if not str(OmegaConf.select(config, "data._target_")).startswith("seqlab."):
        return  # what `path` means to a dataset of the user's own is not known
    for name in ("data.path", "data.validation_path"):
        path = OmegaConf.select(config, name)
        if isinstance(path, str) and path != paths.PHRASEBOOK and not (Path(path).exists() or has_magic(path)):
            raise InputError(f"{name}: {path}: no such file or folder; no trial could read its data")


def read_evaluate(config: DictConfig) -> EvaluateSettings:
    """The settings of an evaluation.

    Raises:
        InputError: one has a value that is not allowed, or there is no finished run.
    """
    if str(config.run).startswith(PREFIX):
        raise InputError(
            f"run={config.run}: a published model lacks the data and the settings of its run, by which it is evaluated;"
            " seqlab-predict takes it, with lines of source and target"
        )
    bundle_folder(Path(str(config.run)))
    return EvaluateSettings(
        run=str(config.run),
        splits=None if config.splits is None else texts_of(config, "splits"),
        data=plain(config.data),
        decoding=optional_component(config, "decoding"),
        trainer=Component.of(config.trainer, "trainer"),
        written=plain(config),
    )


def read_describe(config: DictConfig, run: HydraRun) -> DescribeSettings:
    """The settings of a description.

    Raises:
        InputError: one has a value that is not allowed, or the model has no such size.
    """
    if config.output is not None and not isinstance(config.output, str):
        raise InputError(f"output must name a file, or be null, but is {config.output!r}")
    if config.model_size is not None:
        if config.model is None:
            raise InputError(f"model_size={config.model_size} needs a model; add model=…")
        _check_size(config.model_size, run)
    return _described(config)


def compose_describe(*overrides: str) -> DescribeSettings:
    """The settings that a command line of `seqlab-describe` composes; Hydra must be initialised."""
    return _described(compose("describe", list(overrides)))


def _described(config: DictConfig) -> DescribeSettings:
    model = optional_component(config, "model")
    if model is not None:
        model.check_names()
    return DescribeSettings(_data(config), model, config.output)


def read_report(config: DictConfig) -> ReportSettings:
    """The settings of a page.

    Raises:
        InputError: `runs` or `trust` holds anything but names.
    """
    return ReportSettings(
        output=Path(config.output),
        outputs=Path(config.outputs),
        runs=None if config.runs is None else tuple(map(Path, texts_of(config, "runs"))),
        trust=Trust.of(without_containers(config.trust)),
    )


def read_reproduce(config: DictConfig) -> ReproduceSettings:
    """The settings of a reproduction.

    Raises:
        InputError: one has a value that is not allowed.
    """
    for name in ("run", "any_code"):
        check_truth(config, name)
    check_count("jobs", config.jobs, AUTO, None)
    return ReproduceSettings(
        claims=None if config.claims is None else texts_of(config, "claims"),
        profile=config.profile,
        jobs=config.jobs,
        run=config.run,
        any_code=config.any_code,
        ledger=None if config.ledger is None else Path(config.ledger),
        folder=Path(config.folder),
        references=Path(config.references),
    )


def read_sweep_command(config: DictConfig) -> SweepCommandSettings:
    """The settings of `seqlab-sweep`."""
    study = None if config.study is None else str(config.study)
    return SweepCommandSettings(config.action, study, str(config.folder), config.storage)


def _check_train(config: DictConfig, run: HydraRun) -> None:
    """Checks those settings of a run that no constructor checks."""
    check_count("seed", config.seed, least=0, most=2**32 - 1)
    check_choice("weights", config.weights, ("best", "last", "average"))
    for name in ("find_lr", "compile", "measure", "overwrite"):
        check_truth(config, name)
    check_choice("cuda_graphs", config.cuda_graphs, ("auto", True, False))
    if config.find_lr and config.resume is not None:
        raise InputError(f"find_lr looks for a rate to begin with, but this run is resumed from {config.resume}")
    if "tokenizer" in config and "tokenizer" not in config.data:
        raise InputError(without_tokenizer(run.choices["data"]))
    _check_trainer(config)
    if config.model_size is not None:
        _check_size(config.model_size, run)


def _check_trainer(config: DictConfig) -> None:
    """Checks what Lightning takes, but then divides by, silently ignores, or trains nothing with."""
    for name in ("max_epochs", "max_steps"):
        if config.resume is None and OmegaConf.select(config, f"trainer.{name}") == 0:
            raise InputError(
                f"trainer.{name} must be at least 1, or −1 for no limit, but is 0: nothing would be trained"
            )
    for name, least in AT_LEAST.items():
        value = OmegaConf.select(config, f"trainer.{name}")
        if isinstance(value, int) and value < least:
            raise InputError(f"trainer.{name} must be at least {least}, but is {value}")
    for name, null in ABOVE_ZERO.items():
        value = OmegaConf.select(config, f"trainer.{name}")
        if isinstance(value, int | float) and value <= 0:
            raise InputError(f"trainer.{name} must be above 0, or null for {null}, but is {value}")


def without_tokenizer(data: str) -> str:
    """What to say where a tokenizer is chosen for data that have none."""
    files = sorted((paths.config_dir() / "data").glob("*.yaml"))
    with_text = [path.stem for path in files if "/tokenizer@" in path.read_text(encoding="utf-8")]
    why = " (its symbols are numbers)" if data in NUMBERS else ""
    return f"tokenizer: data={data} has no tokenizer{why}; leave it out, or choose data={', '.join(with_text)}"


def _check_size(size: str, run: HydraRun) -> None:
    """Checks that the model has a size of this name: if it has none, Hydra leaves the model unchanged."""
    chosen = run.choices["sizes@model"]
    if chosen not in options_of("sizes", run.config_name, run.hydra_overrides):
        raise InputError(
            f"model_size={size}: no sizes/{chosen}.yaml among the configurations, so this model has no such size; write"
            " that file beside conf/model, or leave model_size out"
        )


def _also_decoding(config: DictConfig) -> Mapping[str, Component]:
    """The searches besides `decoding`; their names are kinds of metrics, and must not be those of others."""
    searches = components_of(config.also_decoding, "also_decoding")
    for name in searches:
        if name in KINDS or "/" in name:
            raise InputError(f"also_decoding.{name}: its metrics could not be told from others; take another name")
    return searches


def _data(config: DictConfig) -> Component:
    """The settings of the data; names and files are checked here, before anything slow is imported."""
    data = Component.of(config.data, "data")
    data.check_names()
    path = data.get("path") if data.get("_target_") in SINGLE_PATHS else None
    if isinstance(path, str) and path != paths.PHRASEBOOK and not Path(path).exists():
        raise InputError(f"data.path={path}: no such file or folder")
    return data


def _batch_sizes(data: Mapping[str, Any]) -> dict[str, Any]:
    return {f"data.{name}": data[name] for name in SIZES if data.get(name) is not None}
