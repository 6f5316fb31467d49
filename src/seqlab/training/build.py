"""Objects from configs, with the constructor's signature as the schema."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Mapping
from typing import Any, cast

import hydra
from beartype import BeartypeConf
from beartype.door import is_bearable
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seqlab.errors import InputError

_NUMERIC_TOWER = BeartypeConf(is_pep484_tower=True)  # an int will do for a float


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
        raise InputError(f"{key}._target_: {target!r} cannot be imported ({' '.join(str(error).split())})") from None
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
        known = _parameters(hydra.utils.get_object(config.get("_target_")))
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


def check_arguments(function: Any, arguments: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Holds keyword arguments against a signature; YAML's lists become tuples where those are asked for.

    Raises:
        InputError: a name that `function` does not take, or a value of another type than its annotation.
    """
    try:
        known = _parameters(function)
    except (TypeError, ValueError):
        return dict(arguments)  # some built-in callables have no signature
    hints = _hints(function)
    checked = dict(arguments)
    for name, value in arguments.items():
        if known is not None and name not in known:
            raise InputError(f"{key}.{name}: unknown key; {function.__qualname__} takes {', '.join(sorted(known))}")
        if name not in hints or _bearable(value, hints[name]):
            continue
        if not (isinstance(value, list) and _bearable(tuple(value), hints[name])):
            raise InputError(f"{key}.{name} must be {_name(hints[name])}, but is {value!r}")
        checked[name] = tuple(value)
    return checked


def _signatures(function: Any) -> list[Any]:
    """The callables whose parameters count: of a class, its `__init__` and, behind `**kwargs`, its bases'."""
    if not inspect.isclass(function):
        return [function]
    own = [vars(cls)["__init__"] for cls in function.__mro__ if "__init__" in vars(cls)]
    forwarding = [_keywords(init) is not None for init in own]
    return own[: forwarding.index(False) + 1] if False in forwarding else own


def _keywords(function: Any) -> str | None:
    kinds = inspect.signature(function).parameters.values()
    return next((p.name for p in kinds if p.kind is p.VAR_KEYWORD), None)


def _parameters(function: Any) -> set[str] | None:
    """All names that `function` takes, or None if it takes any."""
    signatures = _signatures(function)
    if _keywords(signatures[-1]) is not None:
        return None
    names = {name for one in signatures for name in inspect.signature(one).parameters}
    return names - {"self"} - {_keywords(one) or "" for one in signatures}


def _hints(function: Any) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for one in reversed(_signatures(function)):
        try:
            hints.update(typing.get_type_hints(one))
        except Exception:
            continue  # an annotation that does not resolve at run time says nothing
    return hints


def _bearable(value: Any, hint: Any) -> bool:
    try:
        return is_bearable(value, hint, conf=_NUMERIC_TOWER)
    except Exception:
        return True  # beartype does not know this hint


def _name(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        *others, last = map(str, typing.get_args(hint))
        return f"{', '.join(others)} or {last}" if others else last
    return hint.__name__ if inspect.isclass(hint) else str(hint).replace("typing.", "")
