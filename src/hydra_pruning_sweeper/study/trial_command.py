"""The command line of a trial, divided into its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

COMMAND_ATTRIBUTE = "command"


@dataclass(frozen=True)
class TrialCommand:
    """The command line of a trial, stored with it: whoever continues or exports the trial needs nothing else.

    Args:
        config_name: the primary configuration.
        flags: further flags that say where configurations are, as typed.
        every: overrides of `hydra.sweeper.trial`, without those that the user typed differently.
        fixed: overrides that were typed for all trials.
        own: overrides with the trial's values.
        hydra: overrides of Hydra's own settings that were typed for all trials.
        groups: which of the overridden keys are groups.
        mode: RUN where the configuration says MULTIRUN by itself, so that whoever runs a trial's settings has to say
            otherwise; else "".
    """

    config_name: str = ""
    flags: Sequence[str] = ()
    every: Sequence[str] = ()
    fixed: Sequence[str] = ()
    own: Sequence[str] = ()
    hydra: Sequence[str] = ()
    groups: Sequence[str] = ()
    mode: str = ""

    def with_values(self, overrides: Sequence[str]) -> TrialCommand:
        """The command line of the trial whose values these overrides set."""
        return replace(self, own=tuple(overrides))

    @property
    def overrides(self) -> list[str]:
        """All overrides."""
        return [*self.every, *self.fixed, *self.own, *self.hydra]

    @property
    def typed(self) -> list[str]:
        """Flags and overrides, as they are typed."""
        return [*self.flags, *self.overrides]

    def as_attribute(self) -> dict[str, Any]:
        """The command as plain data."""
        return {name: part if isinstance(part, str) else list(part) for name, part in asdict(self).items()}


def command_of(attributes: Mapping[str, Any]) -> TrialCommand | None:
    """The command among a trial's attributes; None if it never got one, or not from this sweeper."""
    facts = attributes.get(COMMAND_ATTRIBUTE)
    if not isinstance(facts, Mapping):
        return None
    known = {one.name for one in fields(TrialCommand)}
    parts = {name: part if isinstance(part, str) else tuple(map(str, part)) for name, part in facts.items()}
    return TrialCommand(**{name: part for name, part in parts.items() if name in known})  # type: ignore[arg-type]


def is_overridden(typed: Sequence[str], key: str, groups: Sequence[str]) -> bool:
    """Whether the `typed` overrides decide `key`, so that another override of it would be lost or undo theirs.

    Choosing a group's option does not decide the settings within the group.
    """
    for text in typed:
        deletes, name = text.startswith("~"), name_of(text)
        if key == name or (key.startswith(f"{name}.") and (deletes or name not in groups)):
            return True
    return False


def name_of(override: str) -> str:
    """The setting or group that an override sets."""
    return override.partition("=")[0].lstrip("+~")
