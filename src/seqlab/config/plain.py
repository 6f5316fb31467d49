"""Configurations as plain data: composed now, or read from the YAML files of earlier runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from hydra_pruning_sweeper.atomic_files import write_atomically
from seqlab.command_line import flags
from seqlab.config.component import Component
from seqlab.errors import InputError
from seqlab.folders import HYDRA, OVERRIDES, SETTINGS
from seqlab.identity import BEGINNINGS, HOW_IT_BEGINS
from seqlab.paths import PHRASEBOOK

PATHS = ("path", "validation_path")  # settings of data: paths, which may be written in more than one way


def data_name(*, _root_: DictConfig) -> str:
    """What a run's name calls its data: the file or folder of `data.path`, without its suffixes, else the option."""
    path = OmegaConf.select(_root_, "data.path")
    named = "" if path in (None, PHRASEBOOK) else Path(str(path)).name.partition(".")[0]
    return re.sub(r"[^\w-]+", "_", named).strip("_") or str(HydraConfig.get().runtime.choices["data"])


OmegaConf.register_new_resolver("seqlab.data_name", data_name, replace=True)


def plain(config: DictConfig) -> dict[str, Any]:
    """Settings as plain data, unresolved, so that they name no folder of this machine."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=False))


def composed(name: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The settings that a command line composes now. Hydra must be initialised; its errors are raised."""
    return plain(compose(name, list(overrides)))


def composed_search(overrides: Sequence[str]) -> dict[str, Any]:
    """The settings that a command line of `seqlab-train` composes now, with those of the sweeper."""
    config = plain(compose("train", list(overrides), return_hydra_config=True))
    return config | {"hydra": {"sweeper": config["hydra"]["sweeper"]}}


def resolved(settings: Mapping[str, Any], name: str) -> Any:
    """A setting by its dotted name, its interpolations resolved; None if there is none of that name."""
    return OmegaConf.select(OmegaConf.create(dict(settings)), name)


def comparable(settings: Mapping[str, Any]) -> Any:
    """Settings as JSON keeps them, without how the run is resumed, and with absolute paths of the data."""
    plain = json.loads(json.dumps(settings))
    for name in HOW_IT_BEGINS:
        plain.pop(name, None)
    for name in PATHS:
        if plain.get("data", {}).get(name) is not None:
            plain["data"][name] = str(Path(resolved(settings, f"data.{name}")).resolve())
    return plain


def parse(text: str) -> Any:
    """The plain data of a YAML text, unresolved: interpolations have a meaning only in the whole configuration.

    Raises:
        ValueError: it is no YAML, or no configuration; the message says why in one line.
    """
    with _one_line():
        return OmegaConf.to_container(OmegaConf.create(text), resolve=False)


def read(path: Path) -> Any:
    """The plain data of a YAML file, unresolved.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no YAML, or no configuration; the message says why in one line.
    """
    return OmegaConf.to_container(_loaded(path), resolve=False)


def keep_overrides(folder: Path, overrides: Sequence[str]) -> None:
    """Writes the overrides of a run that was refused before Hydra kept them, for the table of what failed."""
    path = folder / OVERRIDES
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, OmegaConf.to_yaml(list(overrides)))


def kept_overrides(folder: Path) -> list[str]:
    """The overrides as they were typed, but those of how the run begins; none if the run has not kept them.

    Raises:
        InputError: Hydra's file is broken.
    """
    path = folder / OVERRIDES
    if not path.is_file():
        return []
    try:
        lines = read(path) or []
        return [str(line) for line in lines if not str(line).startswith(BEGINNINGS)]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a list of overrides ({' '.join(str(error).split())})") from None


class Start(NamedTuple):
    """How a run was started.

    Args:
        flags: the typed flags that say where configurations are found (see `command_line.flags`).
        directory: where the command was typed; relative paths start there.
        choices: the chosen option of each group.
    """

    flags: list[str]
    directory: Path
    choices: Mapping[str, str]


def kept_start(folder: Path) -> Start:
    """How the run of a folder was started.

    Raises:
        OSError, ValueError: the folder lacks Hydra's part of the configuration, or it cannot be read.
    """
    try:
        hydra = _loaded(folder / HYDRA).hydra
        return Start(flags(hydra), Path(hydra.runtime.cwd), dict(hydra.runtime.get("choices") or {}))
    except AttributeError as error:
        raise ValueError(str(error)) from None


class KeptRun(NamedTuple):
    """The part of a run's configuration that measuring it again needs: seed, data, and the user's own metrics."""

    seed: int
    data: Component
    metrics: dict[str, str]


def kept_run(folder: Path, changes: Mapping[str, Any] | None = None) -> KeptRun:
    """The configuration of the run in a folder, with changes to settings of its data.

    Raises:
        InputError: the folder has no configuration, or interpolations of its data cannot be resolved.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise InputError(f"{folder}: no {SETTINGS}; expected a run's folder (a bundle alone has no data)")
    config: Any = OmegaConf.merge(_loaded(path), {"data": dict(changes or {})})
    metrics = dict(OmegaConf.select(config, "free_running.metrics") or {})
    return KeptRun(config.seed, Component.of(config.data, "data"), metrics)


def _loaded(path: Path) -> Any:
    with _one_line():
        return OmegaConf.load(path)


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except (OmegaConfBaseException, YAMLError, RecursionError, AttributeError, TypeError) as error:
        raise ValueError(" ".join(str(error).split())) from None
