"""The conditions of `where=`: which runs are meant."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from hydra_pruning_sweeper.messages import did_you_mean
from seqlab.config.plain import resolved
from seqlab.errors import InputError
from seqlab.multiruns.listed_run import ListedRun

ORDERS: dict[str, Callable[[float, float], bool]] = {
    **{"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
}
CONDITION = re.compile(r"\s*([\w./-]+)\s*(<=|>=|!=|<|>|=)\s*(.*?)\s*")
FACTS: dict[str, Callable[[ListedRun], Any]] = {
    "run": lambda run: str(run.folder),
    "state": lambda run: run.state,
    "model": lambda run: run.model,
}

SEVERAL: dict[str, Callable[[ListedRun], list[str]]] = {"data": lambda run: run.data_names, "tag": lambda run: run.tags}
"""What a run may have several of: one of them has to be equal, or none."""


@dataclass(frozen=True)
class Condition:
    """One condition, such as `optimizer.lr<0.01`.

    Args:
        name: a fact (run, state, model, data, tag), a setting by its dotted name, or a metric.
        sign: =, !=, <, <=, > or >=.
        value: a number, or a text, in which * stands for anything.
    """

    name: str
    sign: str
    value: str

    def holds(self, run: ListedRun) -> bool:
        """Whether it is true of a run; of one that lacks the name it is not."""
        if self.name in SEVERAL:
            return any(map(self._equal, SEVERAL[self.name](run))) == (self.sign == "=")
        value = value_of(run, self.name)
        if value is None:
            return False
        if self.sign in ORDERS:
            ours, theirs = _number(value), _number(self.value)
            return ours is not None and theirs is not None and ORDERS[self.sign](ours, theirs)
        return self._equal(value) == (self.sign == "=")

    def _equal(self, value: Any) -> bool:
        ours, theirs = _number(value), _number(self.value)
        if ours is not None and theirs is not None:
            return ours == theirs
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return fnmatchcase(text, self.value)


def conditions(text: str) -> list[Condition]:
    """The conditions of a text, which are separated by commas.

    Raises:
        InputError: a part is no condition, or compares the order of what is no number.
    """
    found = []
    for part in text.split(","):
        if (match := CONDITION.fullmatch(part)) is None:
            raise InputError(f"where: {part.strip()!r} is no condition; type NAME=VALUE, or !=, <, <=, >, >=")
        one = Condition(*match.groups())
        if one.sign in ORDERS and (one.name in SEVERAL or _number(one.value) is None):
            raise InputError(f"where: {part.strip()}: {one.sign} compares numbers only")
        found.append(one)
    return found


def matching(runs: Sequence[ListedRun], text: str) -> list[ListedRun]:
    """The runs of which all conditions of a text are true.

    Raises:
        InputError: see `conditions`; or no run has a setting or a metric of a name.
    """
    asked = conditions(text)
    for one in asked:
        if runs and one.name not in SEVERAL and all(value_of(run, one.name) is None for run in runs):
            known = {*FACTS, *SEVERAL}.union(*(names_of(run) for run in runs))
            raise InputError(f"where: no run has a setting or metric {one.name}{did_you_mean(one.name, known)}")
    return [run for run in runs if all(one.holds(run) for one in asked)]


def value_of(run: ListedRun, name: str) -> Any:
    """A fact, a setting or a metric of a run; None if it has none of that name."""
    if name in FACTS:
        return FACTS[name](run)
    if "/" not in name:
        try:
            setting = resolved(run.settings, name)
        except Exception:  # an interpolation that only Hydra resolves, as that of a run's name
            setting = run.result.name if run.result is not None and name == "name" else None
        if setting is not None:
            return setting
    return run.metrics().get(name)


def names_of(run: ListedRun) -> set[str]:
    """The names of all settings and metrics of a run."""

    def below(settings: Any, around: str = "") -> set[str]:
        if not isinstance(settings, dict):
            return {around.removesuffix(".")}
        return set().union(*(below(value, f"{around}{name}.") for name, value in settings.items()))

    return below(dict(run.settings)) | set(run.metrics())


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
