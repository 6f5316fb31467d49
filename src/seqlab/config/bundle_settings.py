"""The settings of the commands that take a trained model's bundle, checked and typed. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from seqlab.config.component import Component
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
from seqlab.hub_models import HubAddress, check_location
from seqlab.kinds import NOTHING, Trust

PREDICTION_FORMATS = ("tsv", "jsonl", "text")
BLANK = ("keep", "refuse")
STOPS = ("sentence", "length")
DRAWING = ("temperature", "top_k", "top_p", "seed")


@dataclass(frozen=True)
class PredictSettings:
    """conf/predict.yaml; its comments say what each setting means."""

    run: str
    input: str
    output: str
    format: str
    stream: bool
    blank: str
    targets: bool
    batch_size: int
    trust: Trust
    decoding: Component | None


@dataclass(frozen=True)
class GenerateSettings:
    """conf/generate.yaml; its comments say what each setting means.

    Args:
        drawing: those of temperature, top_k, top_p and seed that were typed.
    """

    run: str
    prompt: str
    trust: Trust = NOTHING
    length: int | None = None
    stop: str = "length"
    drawing: Mapping[str, Any] = field(default_factory=dict)
    decoding: Component | None = None


@dataclass(frozen=True)
class PlaySettings:
    """conf/play.yaml; its comments say what each setting means."""

    runs: tuple[str, ...]
    host: str
    port: int
    trust: Trust


@dataclass(frozen=True)
class PublishSettings:
    """conf/publish.yaml; its comments say what each setting means."""

    run: Path
    repo: str
    dry_run: bool
    folder: Path


def read_predict(config: DictConfig) -> PredictSettings:
    """The settings of a prediction.

    Raises:
        InputError: one has a value that is not allowed, or the model or the input is not there.
    """
    check_choice("format", config.format, PREDICTION_FORMATS)
    check_count("batch_size", config.batch_size)
    check_choice("blank", config.blank, BLANK)
    check_truth(config, "targets")
    check_truth(config, "stream")
    if config.stream and config.output != "-":
        raise InputError(
            f"output={config.output}: stream=true writes each line to standard output at once; leave output out, or"
            f" redirect it with > {config.output}"
        )
    check_location(str(config.run))
    if config.input != "-" and not Path(str(config.input)).exists():
        raise InputError(f"{config.input}: no such file or folder")
    return PredictSettings(
        run=str(config.run),
        input=str(config.input),
        output=str(config.output),
        format=config.format,
        stream=config.stream,
        blank=config.blank,
        targets=config.targets,
        batch_size=config.batch_size,
        trust=Trust.of(without_containers(config.trust)),
        decoding=optional_component(config, "decoding"),
    )


def read_generate(config: DictConfig) -> GenerateSettings:
    """The settings of a generation.

    Raises:
        InputError: one has a value that is not allowed, or there is no model.
    """
    check_choice("stop", config.stop, STOPS)
    check_count("length", config.length, None)
    check_location(str(config.run))
    return GenerateSettings(
        run=str(config.run),
        prompt=str(config.prompt),
        trust=Trust.of(without_containers(config.trust)),
        length=config.length,
        stop=config.stop,
        drawing={name: config[name] for name in DRAWING if config[name] is not None},
        decoding=optional_component(config, "decoding"),
    )


def read_play(config: DictConfig) -> PlaySettings:
    """The settings of the page on which one plays with models.

    Raises:
        InputError: one has a value that is not allowed.
    """
    check_count("port", config.port, least=0, most=2**16 - 1)
    runs = texts_of(config, "runs")
    if not runs:
        raise InputError("runs must name at least one run or bundle")
    return PlaySettings(
        runs=runs,
        host=str(config.host),
        port=config.port,
        trust=Trust.of(without_containers(config.trust)),
    )


def read_publish(config: DictConfig) -> PublishSettings:
    """The settings of a publication.

    Raises:
        InputError: one has a value that is not allowed, or there is no finished run.
    """
    check_truth(config, "dry_run")
    repo = HubAddress.of_repo(str(config.repo), "repo").repo
    return PublishSettings(bundle_folder(Path(str(config.run))), repo, config.dry_run, Path(str(config.folder)))
