"""Objects from configs, with the constructor's signature as the schema."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any, cast

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seqlab.arguments import check_arguments, parameters
from seqlab.config.renamed import new_name
from seqlab.errors import InputError


def build(config: DictConfig, key: str, base: type | None = None, /, **extra: Any) -> Any:
    """Instantiates `config._target_`; nested configs are built first. `extra` arguments win over the config's.

    With `base`, the target must be a class below it.

    Raises:
        InputError: the target cannot be imported, does not take a key, takes another type, or refuses a value. The
            message names the key as the user would type it.
    """
    values = _values(config, key)
    target = values.pop("_target_", None)
    partial = values.pop("_partial_", False)
    if not isinstance(target, str):
        raise InputError(f"{key}._target_ must name a class or function, but is {target!r}")
    try:
        function = hydra.utils.get_object(target)
    except (HydraException, ImportError, ValueError, AttributeError) as error:
        new = new_name(target)
        why = f"is now called {new}" if new else f"cannot be imported ({' '.join(str(error).split())})"
        raise InputError(f"{key}._target_: {target!r} {why}") from None
    if base is not None and not (inspect.isclass(function) and issubclass(function, base)):
        raise InputError(f"{key}._target_ must be a {base.__name__}, but is {target}")
    arguments = {**values, **extra}
    arguments = check_arguments(function, arguments, key)
    if partial:
        return functools.partial(function, **arguments)
    return _called(function, arguments, key)


def takes(config: DictConfig, name: str) -> bool:
    """Whether the constructor or function that a config names takes an argument by that name, and not just any."""
    try:
        known = parameters(hydra.utils.get_object(config.get("_target_")))
    except (HydraException, OmegaConfBaseException, ImportError, TypeError, ValueError, AttributeError):
        return False  # `build` says what is wrong with it
    return known is not None and name in known


def build_each(configs: DictConfig | None, key: str, **extra: Any) -> dict[str, Any]:
    """Builds every config of a group of them; entries that are null are left out."""
    return {
        str(name): build(config, f"{key}.{name!s}", **extra)
        for name, config in (configs or {}).items()
        if config is not None
    }


def build_settings(cls: Any, config: Any, key: str, /, **extra: Any) -> Any:
    """Instantiates `cls` from a section of settings that names no `_target_`, because there is only this one.

    Raises:
        InputError: `cls` does not take a key, takes another type, or refuses a value.
    """
    return _called(cls, check_arguments(cls, {**_values(config, key), **extra}, key), key)


def _values(config: Any, key: str) -> dict[str, Any]:
    if not isinstance(config, DictConfig):
        raise InputError(f"{key} must be a group of settings, but is {config!r}")
    try:
        return {name: _value(node, f"{key}.{name}") for name, node in _resolved(config).items()}
    except OmegaConfBaseException as error:
        raise InputError(f"{key}: {' '.join(str(error).split())}") from None


def _called(function: Any, arguments: Mapping[str, Any], key: str) -> Any:
    try:
        return function(**arguments)
    except (ValueError, TypeError, ModuleNotFoundError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{key}: {error}") from error


def _resolved(config: DictConfig) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))


def _value(node: Any, key: str) -> Any:
    if isinstance(node, dict) and "_target_" in node:
        return build(OmegaConf.create(node), key)
    return node
