"""The sampler's and the pruner's settings: what they may be, checked before either is created."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from hydra.utils import get_object
from omegaconf import OmegaConf

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.installing import install
from hydra_pruning_sweeper.messages import did_you_mean
from hydra_pruning_sweeper.study.rungs import a_third

COMPONENTS = {"sampler", "pruner"}
"""Groups below `hydra/sweeper`, and the settings that their options fill."""

NEEDS = {"GPSampler": ("scipy", "torch"), "CmaEsSampler": ("cmaes",)}
"""Packages that a sampler imports when it first draws; TPE and the others need none."""


def component(name: str, settings: Any, option: str | None) -> dict[str, Any] | None:
    """The settings in `hydra.sweeper.<name>` with which the sampler or the pruner is created; None if there is none.

    They belong to the class that `_target_` names. If that is not the class of the chosen option, the option's settings
    do not apply.

    Args:
        name: one of `COMPONENTS`.
        settings: the settings as Hydra composed them.
        option: the chosen option of the group.

    Raises:
        UsageError: the class takes no such setting, lacks one, or needs a package that is not installed.
    """
    if not settings:
        return None
    if not isinstance(settings, dict) or not isinstance(settings.get("_target_"), str):
        raise UsageError(f"hydra.sweeper.{name} must have a _target_; choose hydra/sweeper/{name}=OPTION, or null")
    known = option_settings(name, option or "")
    if known.get("_target_", settings["_target_"]) != settings["_target_"]:
        settings = {key: value for key, value in settings.items() if key not in known or value != known[key]}
    _check(settings, name)
    settings = {str(key): value for key, value in settings.items()}
    if settings.get("min_resource", "") is None and isinstance(settings.get("max_resource"), int):
        settings["min_resource"] = a_third(settings["max_resource"])
    return settings


@cache
def option_settings(name: str, option: str) -> Mapping[str, Any]:
    """The settings of an option that comes with this package; empty for another one."""
    file = files("hydra_pruning_sweeper.conf") / "hydra" / "sweeper" / name / f"{option}.yaml"
    if not file.is_file():
        return {}
    loaded = OmegaConf.to_container(OmegaConf.create(file.read_text(encoding="utf-8")), resolve=False)
    assert isinstance(loaded, dict)
    return {str(key): value for key, value in loaded.items()}


def _check(settings: Mapping[str, Any], name: str) -> None:
    target = settings["_target_"]
    try:
        takes = inspect.signature(get_object(target)).parameters
    except Exception:  # no such class, or one whose arguments cannot be seen: creating it says more
        return
    if any(one.kind == one.VAR_KEYWORD for one in takes.values()):
        return
    word, known = target.rpartition(".")[2], [one for one in takes if one != "seed"]
    for key in settings:
        if key not in takes and not key.startswith("_"):
            options = f"{', '.join(known) or 'none'}{did_you_mean(key, known)}"
            raise UsageError(f"hydra.sweeper.{name}.{key}: no such setting of {word}, which takes {options}")
    if "max_resource" in takes and settings.get("max_resource", "") is None:
        raise UsageError(f"hydra.sweeper.{name}.max_resource must be the number of validations of a full training")
    for package in NEEDS.get(word, ()):
        if not _is_installed(package):
            raise UsageError(f"{word} needs {package}: {install(package)}")


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # as it has been set to None
        return False
