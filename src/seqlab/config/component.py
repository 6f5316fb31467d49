"""A group of settings as plain data, and the object built from it; the constructor's signature is the schema."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seqlab.arguments import check_arguments, parameters, unknown_key
from seqlab.errors import InputError
from seqlab.renamed import new_name
from seqlab.source_signatures import written_parameters


@dataclass(frozen=True)
class Component:
    """A group of settings, from which an object is built.

    Args:
        key: the group as the user types it: "model", "callbacks.saver".
        settings: plain data, interpolations resolved; `_target_` names the class or function, `_partial_: true` means
            a partial function of it. Nested groups with a `_target_` are components, too.
    """

    key: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Any, key: str) -> Component:
        """The component of a configuration's group.

        Raises:
            InputError: it is no group, or one of its interpolations cannot be resolved.
        """
        if not isinstance(config, DictConfig):
            raise InputError(f"{key} must be a group of settings, but is {config!r}")
        try:
            return cls(key, cast(dict[str, Any], OmegaConf.to_container(config, resolve=True)))
        except OmegaConfBaseException as error:
            raise InputError(f"{key}: {' '.join(str(error).split())}") from None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the call of the target."""
        return {name: value for name, value in self.settings.items() if name not in ("_target_", "_partial_")}

    @property
    def has_target(self) -> bool:
        """Whether the settings name a target."""
        return "_target_" in self.settings

    def get(self, name: str) -> Any:
        """A setting, or None if there is none of that name."""
        return self.settings.get(name)

    def with_settings(self, **changes: Any) -> Component:
        """A copy with some settings replaced."""
        return Component(self.key, {**self.settings, **changes})

    def build(self, base: type | None = None, wrap: Callable[[Any], Any] | None = None, /, **extra: Any) -> Any:
        """Calls the target; nested components are built first.

        Args:
            base: the target must be a subclass of this.
            wrap: called with the target; its result is called instead of the target.
            extra: arguments that take precedence over the settings.

        Raises:
            InputError: the target cannot be imported, does not take a key, takes another type, or refuses a value. The
                message names the key as the user would type it.
        """
        arguments = {**self._values(), **extra}
        target = self.get("_target_")
        if not isinstance(target, str):
            raise InputError(f"{self.key}._target_ must name a class or function, but is {target!r}")
        try:
            function = hydra.utils.get_object(target)
        except (HydraException, ImportError, ValueError, AttributeError) as error:
            new = new_name(target)
            why = f"is now called {new}" if new else f"cannot be imported ({' '.join(str(error).split())})"
            raise InputError(f"{self.key}._target_: {target!r} {why}") from None
        if base is not None and not (inspect.isclass(function) and issubclass(function, base)):
            raise InputError(f"{self.key}._target_ must be a {base.__name__}, but is {target}")
        arguments = check_arguments(function, arguments, self.key)
        function = function if wrap is None else wrap(function)
        if self.get("_partial_"):
            return functools.partial(function, **arguments)
        return self._called(function, arguments)

    def build_as(self, cls: Any, /, **extra: Any) -> Any:
        """Calls the target, a subclass of `cls`, or `cls` itself if the settings name no target.

        Raises:
            InputError: as for `build`.
        """
        if self.has_target:
            return self.build(cls, **extra)
        return self._called(cls, check_arguments(cls, {**self._values(), **extra}, self.key))

    def check_as(self, cls: Any) -> None:
        """Checks the names and types of the settings against the signature of `cls`, without calling it.

        Raises:
            InputError: `cls` does not take a key, or takes another type.
        """
        check_arguments(cls, self.arguments, self.key)

    def check_names(self) -> None:
        """Checks the names of the settings before the target is imported, if it is one of seqlab's.

        Raises:
            InputError: the target does not take a name.
        """
        target = self.get("_target_")
        known = written_parameters(target) if isinstance(target, str) else None
        if known is None:
            return
        for name in self.arguments:
            if name not in known:
                raise unknown_key(self.key, name, str(target).rpartition(".")[2], known)

    def takes(self, name: str) -> bool:
        """Whether the target has a parameter of that name (`**kwargs` does not count)."""
        try:
            known = parameters(hydra.utils.get_object(self.settings["_target_"]))
        except (HydraException, ImportError, KeyError, TypeError, ValueError, AttributeError):
            return False  # `build` reports what is wrong with it
        return known is not None and name in known

    def _values(self) -> dict[str, Any]:
        """The arguments with nested components built. They are copies, because what is built may change them."""
        return {name: _value(node, f"{self.key}.{name}") for name, node in copy.deepcopy(self.arguments).items()}

    def _called(self, function: Any, arguments: Mapping[str, Any]) -> Any:
        try:
            return function(**arguments)
        except (ValueError, TypeError, ModuleNotFoundError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{self.key}: {error}") from error


def _value(node: Any, key: str) -> Any:
    return Component(key, node).build() if isinstance(node, dict) and "_target_" in node else node


def components_of(configs: Any, key: str) -> dict[str, Component]:
    """The components in a group of groups, by name, without entries that are null.

    Raises:
        InputError: an entry is no group, or one of its interpolations cannot be resolved.
    """
    if configs is None:
        return {}
    if not isinstance(configs, DictConfig):
        raise InputError(f"{key} must be a group of settings, but is {configs!r}")
    return {
        str(name): Component.of(config, f"{key}.{name!s}") for name, config in configs.items() if config is not None
    }
