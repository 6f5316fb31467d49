"""Configurations as plain data: what is composed now, and the YAML files that runs have left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra import compose
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from seqlab.command_line import flags
from seqlab.config.component import Component
from seqlab.errors import InputError

SUBFOLDER = ".hydra"
"""Of a run's folder: where its configuration is kept."""


def plain(config: DictConfig) -> dict[str, Any]:
    """Settings as plain data, unresolved: so they name no folder of this machine."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=False))


def composed(name: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The settings of a command line, today; called where Hydra is at work. Raises whatever Hydra does."""
    return plain(compose(name, list(overrides)))


def resolved(settings: Mapping[str, Any], name: str) -> Any:
    """A setting by its dotted name, its interpolations resolved; None where there is none of that name."""
    return OmegaConf.select(OmegaConf.create(dict(settings)), name)


def parse(text: str) -> Any:
    """The plain data of a YAML text, unresolved: an interpolation means something in the whole configuration only.

    Raises:
        ValueError: it is no YAML, or none that a configuration may be; says why in one line.
    """
    try:
        return OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except (OmegaConfBaseException, YAMLError, RecursionError, AttributeError, TypeError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def read(path: Path) -> Any:
    """The plain data of a YAML file, unresolved.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no YAML, or none that a configuration may be; says why in one line.
    """
    return OmegaConf.to_container(_loaded(path), resolve=False)


def kept_flags(folder: Path) -> list[str]:
    """What was typed to name the configurations of the run of a folder (see `command_line.flags`).

    Raises:
        OSError, ValueError: it has not kept Hydra's own configuration, or that is none.
    """
    try:
        return flags(_loaded(folder / SUBFOLDER / "hydra.yaml").hydra)
    except AttributeError as error:
        raise ValueError(str(error)) from None


def kept_working_directory(folder: Path) -> Path:
    """Where the run of a folder was started: its relative paths are meant from there."""
    return Path(_loaded(folder / SUBFOLDER / "hydra.yaml").hydra.runtime.cwd)


def kept_data(folder: Path, changes: Mapping[str, Any] | None = None) -> tuple[int, Component]:
    """Seed and data of the run of a folder, with changes to settings of its data.

    Raises:
        InputError: it has kept no configuration, or data whose interpolations cannot be resolved.
    """
    path = folder / SUBFOLDER / "config.yaml"
    if not path.is_file():
        raise InputError(f"{folder}: no .hydra/config.yaml; expected a run's folder (a bundle alone has no data)")
    config: Any = OmegaConf.merge(_loaded(path), {"data": dict(changes or {})})
    return config.seed, Component.of(config.data, "data")


def kept_metrics(folder: Path) -> dict[str, str]:
    """The metrics of one's own of the run of a folder: see `GenerationEval`."""
    config = _loaded(folder / SUBFOLDER / "config.yaml")
    return dict(OmegaConf.select(config, "free_running.metrics") or {})


def _loaded(path: Path) -> Any:
    try:
        return OmegaConf.load(path)
    except (OmegaConfBaseException, YAMLError, RecursionError, AttributeError, TypeError) as error:
        raise ValueError(" ".join(str(error).split())) from None
