"""The command line of a trial, in the parts that it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

COMMAND_ATTRIBUTE = "command"


@dataclass(frozen=True)
class TrialCommand:
    """What is typed for a trial. Each trial keeps its own: whoever continues or exports it needs no other.

    Args:
        config_name: the configuration that is composed.
        flags: where else configurations are, as typed.
        every: overrides that the search gives every trial, except where the user typed another value.
        fixed: overrides that were typed for all trials.
        own: overrides that set the trial's values.
        hydra: overrides of Hydra's own settings that were typed for all trials.
        groups: which of the overridden keys are groups.
    """

    config_name: str = ""
    flags: Sequence[str] = ()
    every: Sequence[str] = ()
    fixed: Sequence[str] = ()
    own: Sequence[str] = ()
    hydra: Sequence[str] = ()
    groups: Sequence[str] = ()

    def with_values(self, own: Sequence[str]) -> TrialCommand:
        """The line of a trial with these values."""
        return replace(self, own=tuple(own))

    @property
    def overrides(self) -> list[str]:
        """Everything but flags."""
        return [*self.every, *self.fixed, *self.own, *self.hydra]

    @property
    def typed(self) -> list[str]:
        """Everything, as it is typed."""
        return [*self.flags, *self.overrides]

    def as_attribute(self) -> dict[str, Any]:
        """As plain data."""
        return {name: part if isinstance(part, str) else list(part) for name, part in asdict(self).items()}


def command_of(attributes: Mapping[str, Any]) -> TrialCommand | None:
    """The line among a trial's attributes; None if it was never begun, or not by this sweeper."""
    facts = attributes.get(COMMAND_ATTRIBUTE)
    if not isinstance(facts, Mapping):
        return None
    known = {one.name for one in fields(TrialCommand)}
    parts = {name: part if isinstance(part, str) else tuple(map(str, part)) for name, part in facts.items()}
    return TrialCommand(**{name: part for name, part in parts.items() if name in known})  # type: ignore[arg-type]


def is_overridden(typed: Sequence[str], key: str, groups: Sequence[str]) -> bool:
    """Whether one of the `typed` overrides leaves nothing for another override of `key` to set.

    A group's option does not: what is below the group can still be set.
    """
    for text in typed:
        deletes, name = text.startswith("~"), name_of(text)
        if key == name or (key.startswith(f"{name}.") and (deletes or name not in groups)):
            return True
    return False


def name_of(override: str) -> str:
    """The setting or group that an override is of."""
    return override.partition("=")[0].lstrip("+~")
