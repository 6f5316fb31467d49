"""The description of a search, in which all controllers of a study must agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf

from hydra_pruning_sweeper.differences import Difference, differences
from hydra_pruning_sweeper.study.space import Space
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings
from hydra_pruning_sweeper.study.trial_command import TrialCommand

MAY_DIFFER = frozenset(
    {
        *(
            "slots",
            "gpus",
            "threads",
            "storage",
            "preload",
            "checkpoint",
            "resume",
            "resume_from",
        ),  # where and how trials run
        *("n_trials", "timeout", "patience", "max_retry", "max_failure_rate", "max_silence", "lease"),  # its end
        "enqueue",  # further trials by hand
        "on_end",  # what happens once it is over
        *("not_compared", "continue_anyway", "_target_", "_recursive_"),
    }
)
"""Settings of `hydra.sweeper` in which controllers of one study may differ. In all others they must agree, as in every
setting of a run that `not_compared` does not name. The launcher is free too, like all of Hydra except the sweeper."""


@dataclass(frozen=True)
class SearchSpec:
    """A search as one controller is configured to run it.

    Args:
        description: `groups`, `settings` and `sweeper`, as plain data.
        line: the command line that its trials share.
        continue_anyway: whether to continue a study that was begun as another search.
        enqueued: values given by hand, for a trial each.
        earlier: reads the trials of other studies that a new study begins with (`earlier_knowledge.trials_of_studies`).
    """

    description: dict[str, Any] = field(default_factory=dict)
    line: TrialCommand = field(default_factory=TrialCommand)
    continue_anyway: bool = False
    enqueued: Sequence[Mapping[str, Any]] = ()
    earlier: Callable[[], Sequence[Mapping[str, Any]]] = tuple


def description(config: DictConfig, settings: SweeperSettings, space: Space, line: TrialCommand) -> dict[str, Any]:
    """What identifies a search, as plain data: its settings, its space, and the settings that all its trials share."""
    compared = {name: value for name, value in asdict(settings).items() if name not in MAY_DIFFER}
    if isinstance(settings.direction, dict):  # as a list, since the order of objectives is that of a trial's values
        compared["direction"] = [f"{name}: {direction}" for name, direction in settings.direction.items()]
    space_of = {one.name: one.described for one in space.parameters}
    sweeper = {**compared, "params": space_of, "config_name": line.config_name}
    plain = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    assert isinstance(plain, dict)
    choices = {name: option for name, option in config.hydra.runtime.choices.items() if not name.startswith("hydra/")}
    run = {str(name): value for name, value in plain.items() if name != "hydra"}
    return _storable(
        {
            "groups": choices,
            "settings": _without(run, settings.not_compared),
            "sweeper": {"hydra": {"sweeper": sweeper}},
        }
    )


def disagreement(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Where two descriptions differ: groups first, as they explain most other differences."""
    entries: list[Difference] = []
    for part in dict.fromkeys((*new, *old)):
        entries += differences(_mapping(old.get(part)), _mapping(new.get(part)))
    return entries


def _mapping(part: Any) -> Mapping[str, Any]:
    return part if isinstance(part, Mapping) else {}


def _without(settings: dict[str, Any], names: Sequence[str], around: str = "") -> dict[str, Any]:
    """The settings except those at the dotted `names`."""
    rest = {}
    for name, value in settings.items():
        inner = _without(value, names, f"{around}{name}.") if isinstance(value, dict) else value
        if f"{around}{name}" not in names and (inner or not isinstance(value, dict) or not value):
            rest[name] = inner
    return rest


def _storable(value: Any) -> Any:
    """The value as every storage returns it, which is as JSON: a NaN, which JSON lacks, becomes text."""
    if isinstance(value, Mapping):
        return {str(name): _storable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(one) for one in value]
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)
