"""Checks of a search before its first trial: the space is not empty, settings exist and agree with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import optuna
from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import did_you_mean
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.objectives import Goal, direction_of, directions_of
from hydra_pruning_sweeper.study.sampler import ConstrainedSampler
from hydra_pruning_sweeper.study.space import Space, suggest
from hydra_pruning_sweeper.study.trial_command import TrialCommand

REPORT = "hydra_pruning_sweeper.trial.lightning_callback.TrialReport"
DIRECTIONS = {"min": "minimize", "max": "maximize"}
DRAWS = 50


def check_before_start(
    space: Space, line: TrialCommand, loader: ConfigLoader, make_sampler: Callable[[int], BaseSampler], goal: Goal
) -> None:
    """Samples and composes trials without running them, so that mistakes are found before the first one starts.

    Raises:
        UsageError: no values satisfy the constraints, the sampler needs a missing package, a setting or an option of
            the space does not exist, a callback monitors its metric in the other direction, or the application
            refuses a trial.
    """
    list(islice(propose(space, make_sampler, goal), 2))
    check_options(space, line, loader)
    for values in covering(space):
        config = composed(space, line.with_values(space.arguments(values)), loader)
        check_modes(config, goal)
        if NAMES.check is not None:
            NAMES.check(config)


def propose(
    space: Space, make_sampler: Callable[[int], BaseSampler], goal: Goal = "minimize"
) -> Iterator[dict[str, Any]]:
    """The values that the first trials of a search would get."""
    directions = directions_of(goal)
    study = optuna.create_study(sampler=ConstrainedSampler(space, make_sampler, 0), directions=directions)
    study.stop = lambda: None  # type: ignore[method-assign]  # called by a grid sampler when its grid is used up
    while True:
        trial = study.ask()
        yield space.chosen(lambda one, _, trial=trial: suggest(trial, one))  # type: ignore[misc]
        study.tell(trial, [0.0] * len(directions))


def check_options(space: Space, line: TrialCommand, loader: ConfigLoader) -> None:
    """Checks that choices between options of a group exist, without composing each of them.

    Raises:
        UsageError: one does not exist.
    """
    for one in space.parameters:
        if one.sets or not isinstance(one.distribution, CategoricalDistribution):
            continue
        group = one.name.partition("@")[0]
        options = loader.get_group_options(group, config_name=line.config_name or None, overrides=list(line.hydra))
        words = [choice for choice in one.distribution.choices if isinstance(choice, str) and "/" not in choice]
        for word in words if options else ():
            if word not in options:
                raise UsageError(f"{one.name}: no option {word!r}{did_you_mean(word, options)}")


def covering(space: Space) -> Iterator[dict[str, Any]]:
    """Values of a few trials that together search each parameter whose condition can hold."""
    left = {one.name for one in space.parameters}
    for values in islice(propose(space, lambda seed: RandomSampler(seed=seed)), DRAWS):
        if left & values.keys():
            left -= values.keys()
            yield values
        if not left:
            return


def composed(space: Space, line: TrialCommand, loader: ConfigLoader) -> DictConfig:
    """The composed configuration of a trial.

    Raises:
        UsageError: it does not compose.
    """
    try:
        return loader.load_configuration(line.config_name or None, line.overrides, RunMode.RUN)
    except (HydraException, OmegaConfBaseException) as error:
        reason = " ".join(str(error).splitlines()[0].split()).rstrip(".")
        base = loader.load_configuration(line.config_name or None, list(line.fixed), RunMode.RUN)
        known = list(settings_of(OmegaConf.to_container(base, resolve=False)))
        for one in space.parameters:
            if one.name in str(error) and one.name not in known:
                reason += did_you_mean(one.name, known)
        raise UsageError(f"a trial of this search does not compose: {reason}") from None


def settings_of(config: Any, around: str = "") -> Iterator[str]:
    """The dotted names of all settings except Hydra's own."""
    for name, value in config.items():
        if (key := f"{around}{name}") != "hydra":
            yield key
            if isinstance(value, dict):
                yield from settings_of(value, f"{key}.")


def check_modes(config: DictConfig, goal: Goal) -> None:
    """Compares the search's direction with the mode of every callback that monitors the metric that trials report; of
    several objectives, that of the one with the metric's name, if there is one.

    Raises:
        UsageError: one monitors it in the other direction.
    """
    watching = dict(_watching(OmegaConf.to_container(config, resolve=False), ""))
    reported = {_value(config, f"{name}.monitor") for name, one in watching.items() if one.get("_target_") == REPORT}
    for name in watching:
        mode, monitor = (_value(config, f"{name}.{key}") for key in ("mode", "monitor"))
        direction = direction_of(goal, monitor)
        if monitor in reported and direction is not None and DIRECTIONS.get(mode, direction) != direction:
            raise UsageError(
                f"{name}.mode is {mode}, but hydra.sweeper.direction is {direction}: the best {monitor} of a trial"
                " would be the search's worst"
            )


def _value(config: DictConfig, name: str) -> Any:
    """The value of a setting; None where it refers to something that is only known within a run."""
    try:
        return OmegaConf.select(config, name)
    except OmegaConfBaseException:
        return None


def _watching(node: Any, around: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(node, dict):
        if "mode" in node and "monitor" in node:
            yield around.rstrip("."), node
        for name, value in node.items():
            if around or name != "hydra":
                yield from _watching(value, f"{around}{name}.")
