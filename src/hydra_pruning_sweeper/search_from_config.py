"""Reads a search from a composed Hydra configuration and from the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.execution.slot_count import AUTO
from hydra_pruning_sweeper.messages import did_you_mean
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.objectives import goal_from
from hydra_pruning_sweeper.sampler_and_pruner import COMPONENTS, component
from hydra_pruning_sweeper.study.space import UNSET, Parameter, Space, parameter
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings
from hydra_pruning_sweeper.study.trial_command import TrialCommand, is_overridden, name_of

SWEEP_OVERRIDES = (
    "hydra.sweeper",
    "hydra/sweeper",
    "hydra.sweep",
    "hydra.run.dir",
    "hydra.mode",
    "hydra.launcher",
    "hydra/launcher",
)
"""Beginnings of overrides that configure the sweep itself: its trials do not get them."""
TIME = "${now:"  # Hydra's resolver


def settings_from(config: DictConfig) -> SweeperSettings:
    """The settings in `config.hydra.sweeper`, checked.

    Raises:
        UsageError: one is unknown, refers to nothing, or has a value that cannot be used.
    """
    try:
        plain = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    except OmegaConfBaseException as error:
        raise UsageError(f"hydra.sweeper: {' '.join(str(error).split())}") from None
    assert isinstance(plain, dict)
    known = [one.name for one in fields(SweeperSettings)]
    for name in map(str, plain):
        if name not in known:
            raise UsageError(f"hydra.sweeper.{name}: no such setting{did_you_mean(name, known)}")
    if "direction" in plain:
        plain["direction"] = goal_from(plain["direction"])
    if isinstance(plain.get("direction"), dict):
        check_several_objectives(plain)
    choices = OmegaConf.select(config, "hydra.runtime.choices", default={})
    for name in COMPONENTS & plain.keys():
        plain[name] = component(name, plain[name], choices.get(f"hydra/sweeper/{name}"))
    settings = SweeperSettings(**{str(name): value for name, value in plain.items()})
    if settings.gpus < 1:
        raise UsageError(f"hydra.sweeper.gpus must be at least 1, but is {settings.gpus}")
    if settings.resume_from not in ("folder", "checkpoint"):
        raise UsageError(f"hydra.sweeper.resume_from must be folder or checkpoint, but is {settings.resume_from}")
    for name in ("threads", "max_silence", "timeout", "patience"):
        value = getattr(settings, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
            raise UsageError(f"hydra.sweeper.{name} must be a number above 0, or null, but is {value}")
    if settings.n_trials < 1:
        raise UsageError(f"hydra.sweeper.n_trials must be at least 1, but is {settings.n_trials}")
    slots = settings.slots
    if slots != AUTO and (isinstance(slots, bool) or not isinstance(slots, int) or slots < 1):
        raise UsageError(f"hydra.sweeper.slots must be at least 1, or {AUTO}, but is {slots}")
    if slots == AUTO and not is_basic(config.hydra.launcher):
        raise UsageError(f"hydra.sweeper.slots={AUTO} measures trials on this machine; type a number for a launcher")
    return settings


def check_several_objectives(settings: Mapping[Any, Any]) -> None:
    """Checks that nothing is set that works with a single objective only.

    Raises:
        UsageError: something is; the message says what to type.
    """
    pruner, sampler = (_class_of(settings.get(name)) for name in ("pruner", "sampler"))
    if pruner not in ("", "NopPruner"):
        raise UsageError(f"trials of several objectives are not pruned ({pruner}): type hydra/sweeper/pruner=none")
    if sampler == "CmaEsSampler":
        raise UsageError(f"{sampler} knows a single objective only: type hydra/sweeper/sampler=tpe, gp, random or grid")
    for name in ("patience", "warm_start"):
        if settings.get(name):
            raise UsageError(f"hydra.sweeper.{name} knows a single objective only: type hydra.sweeper.{name}=null")


def _class_of(component: Any) -> str:
    """The name of the class that a sampler's or a pruner's settings describe; "" where there is none."""
    return str(component.get("_target_", "")).rpartition(".")[2] if isinstance(component, Mapping) else ""


def keep_folder(config: DictConfig, study: str) -> Path:
    """The sweep's folder, `hydra.sweep.dir`, which is set to the study's name where it would be named by the time:
    typing the same line again must find it.
    """
    written = str(OmegaConf.to_container(config.hydra.sweep, resolve=False)["dir"])  # type: ignore[index,call-overload]
    around, named_by_time, _ = written.partition(TIME)
    if named_by_time:
        with read_write(config.hydra):
            config.hydra.sweep.dir = f"{around[: around.rfind('/') + 1]}{study}"
    return Path(config.hydra.sweep.dir)


def is_basic(launcher: DictConfig) -> bool:
    """Whether no launcher was chosen, so that trials are forked on this machine."""
    target = str(launcher.get("_target_"))
    return "BasicLauncher" in target or target == NAMES.launcher


def split_overrides(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The overrides that are the same for all trials, and those that are swept."""
    parsed = OverridesParser.create().parse_overrides(arguments)
    sweeps = [text for text, one in zip(arguments, parsed, strict=True) if one.is_sweep_override()]
    return [text for text in arguments if text not in sweeps], sweeps


def base_of(config: DictConfig) -> Callable[[str], Any]:
    """A function from a setting to its value in `config`, and from a group to its chosen option."""
    choices = config.hydra.runtime.choices

    def base(name: str) -> Any:
        return choices[name] if name in choices else OmegaConf.select(config, name, default=UNSET)

    return base


def space_of(settings: SweeperSettings, fixed: list[str], typed: list[str], base: Callable[[str], Any]) -> Space:
    """The search space: that of `settings`, except for what the command line fixes or sweeps differently.

    Raises:
        UsageError: it is empty, or one of its entries is not a sweep.
    """
    named = {name_of(text) for text in (*fixed, *typed)}
    parameters: list[Parameter] = []
    for key, sweep in settings.params.items():
        if key.lstrip("+") in named:
            continue
        entry = sweep if isinstance(sweep, Mapping) else {"sweep": sweep}
        if not {"sweep"} <= set(entry) <= {"sweep", "when", "sets"}:
            raise UsageError(f"hydra.sweeper.params.{key} must be a sweep, or have the keys sweep, when and sets")
        sets = {name: rule for name, rule in entry.get("sets", {}).items() if name.lstrip("+") not in named}
        if "sets" not in entry or sets:
            parameters.append(parameter(key, str(entry["sweep"]), entry.get("when"), sets))
    for text in typed:
        key, _, sweep = text.partition("=")
        parameters.append(parameter(key, sweep))
    if not parameters:
        raise UsageError("nothing to search: choose +sweeps=NAME, or type KEY=interval(…), choice(…) or range(…)")
    return Space(parameters, settings.constraints, base)


def typed_flags(arguments: list[str]) -> list[str]:
    """The flags of a command line that say where configurations are and which one is composed."""
    from hydra._internal.utils import get_args_parser

    typed, _ = get_args_parser().parse_known_args(arguments)
    names = ("config_path", "config_name", "config_dir")
    return [f"--{name.replace('_', '-')}={value}" for name in names if (value := getattr(typed, name))]


def command_of_trials(config: DictConfig, settings: SweeperSettings, fixed: list[str]) -> TrialCommand:
    """The part of the command line that all trials share. What the user typed overrides `settings.trial`."""
    choices = config.hydra.runtime.choices
    groups = [name_of(text) for text in fixed if name_of(text) in choices]
    hydra = [str(one) for one in config.hydra.overrides.hydra]
    # Hydra itself adds this override where -m was typed and the configuration does not say MULTIRUN.
    is_typed = any(name_of(one) == "hydra.mode" for one in hydra)
    return TrialCommand(
        config_name=config.hydra.job.config_name or "",
        flags=tuple(typed_flags(sys.argv[1:])),
        every=tuple(text for text in settings.trial if not is_overridden(fixed, name_of(text), groups)),
        fixed=tuple(fixed),
        hydra=tuple(one for one in hydra if not one.lstrip("+~").startswith(SWEEP_OVERRIDES)),
        groups=tuple(groups),
        mode="RUN" if config.hydra.mode == RunMode.MULTIRUN and not is_typed else "",
    )
