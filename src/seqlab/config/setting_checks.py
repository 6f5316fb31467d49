"""What the settings of several commands are checked and read by."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from hydra_pruning_sweeper.messages import either
from seqlab.config.component import Component
from seqlab.errors import InputError


def check_truth(config: DictConfig, name: str) -> None:
    """Checks that a setting is true or false.

    Raises:
        InputError: it is not.
    """
    if not isinstance(config[name], bool):
        raise InputError(f"{name} must be true or false, but is {config[name]!r}")


def is_count(value: Any, least: int = 1) -> bool:
    """Whether a value is an integer of at least `least`; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def check_count(name: str, value: Any, *others: str | None, least: int = 1, most: int | None = None) -> None:
    """Checks that a value is an integer of at least `least` and at most `most`, or one of `others`.

    Raises:
        InputError: it is not.
    """
    if value in others or (is_count(value, least) and (most is None or value <= most)):
        return
    integer = f"an integer of at least {least}" if most is None else f"an integer of {least} to {most}"
    allowed = either([integer, *("null" if one is None else one for one in others)])
    raise InputError(f"{name} must be {allowed}, but is {value!r}")


def check_choice(name: str, value: Any, choices: tuple[str | bool, ...]) -> None:
    """Checks that a value is one of some choices.

    Raises:
        InputError: it is not.
    """
    if value not in choices or (isinstance(value, int) and not isinstance(value, bool)):
        raise InputError(f"{name} must be one of {', '.join(map(_typed, choices))}, but is {value!r}")


def _typed(value: str | bool) -> str:
    """A value as one types it."""
    return str(value).lower() if isinstance(value, bool) else value


def texts_of(config: DictConfig, name: str) -> tuple[str, ...]:
    """The texts of a setting that is one text or a list of them; a number counts as the text that was typed.

    Raises:
        InputError: it is neither.
    """
    value = without_containers(config[name])
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in texts):
        raise InputError(f"{name} must be a name or a list of names, but is {value!r}")
    return tuple(map(str, texts))


def optional_component(config: DictConfig, name: str) -> Component | None:
    """The component under a key, which may be null."""
    return None if config[name] is None else Component.of(config[name], name)


def without_containers(value: Any) -> Any:
    """A value without OmegaConf's containers."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
