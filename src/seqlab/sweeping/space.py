"""What a search may choose from: Hydra's sweep syntax as Optuna's distributions, with conditions and constraints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    IntervalSweep,
    Override,
    Quote,
    QuotedString,
    RangeSweep,
    Transformer,
)
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from seqlab.errors import InputError
from seqlab.sweeping.expressions import Expression

PLAIN = re.compile(r"[A-Za-z_][\w/.-]*")
SPECIAL = ("true", "false", "null", "nan", "inf")  # words that Hydra reads as values

Choose = Callable[["Parameter", dict[str, Any]], Any]
"""Gives a value of a parameter, knowing those chosen before it."""


@dataclass(frozen=True)
class Parameter:
    """A setting that is searched.

    Args:
        key: the setting as it is typed, with a `+` where the configuration does not hold it yet.
        distribution: what it may be.
        when: holds where the setting is searched; elsewhere it stays as the configuration has it.
        written: how a choice is typed, where that is not simply its text.
        sets: settings that follow from its value, if it is none itself.
    """

    key: str
    distribution: BaseDistribution
    when: Expression | None = None
    written: Mapping[Any, str] = field(default_factory=dict)
    sets: Mapping[str, Expression] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The setting's name."""
        return self.key.lstrip("+")

    @property
    def needs(self) -> frozenset[str]:
        """The settings that its conditions name."""
        named = [one.names for one in (self.when, *self.sets.values()) if one is not None]
        return frozenset().union(*named) - {self.name}

    def holds(self, value: Any) -> bool:
        """Whether `value` is among what it may be."""
        try:
            return bool(self.distribution._contains(self.distribution.to_internal_repr(value)))
        except (ValueError, TypeError):
            return False


def parameter(key: str, sweep: str, when: str | None = None, sets: Mapping[str, str] = {}) -> Parameter:
    """A parameter from Hydra's sweep syntax: `interval`, `choice`, `range`, `int(interval(…))`, `tag(log, …)`.

    Args:
        key: the setting, or with `sets` any word.
        when: the condition for it to be searched.
        sets: settings that are computed from it: `model.feed_forward: factor * model.width`.

    Raises:
        InputError: it is something else, or an interval that is empty.
    """
    try:
        override = OverridesParser.create().parse_override(f"{key}={sweep}")
    except HydraException as error:
        raise InputError(f"{key}: {' '.join(str(error).split())}") from None
    if not override.is_sweep_override():
        raise InputError(f"{key} must be an interval(…), choice(…) or range(…), but is {sweep!r}")
    try:
        distribution, written = _distribution(override)
    except ValueError as error:
        raise InputError(f"{key}={sweep}: {error}") from None
    computed = {name: Expression(text) for name, text in sets.items()}
    return Parameter(key, distribution, Expression(when) if when else None, written, computed)


def _distribution(override: Override) -> tuple[BaseDistribution, dict[Any, str]]:
    value: Any = override.value()
    log = "log" in getattr(value, "tags", ())
    if isinstance(value, IntervalSweep):
        kind = IntDistribution if isinstance(value.start, int) else FloatDistribution
        return kind(value.start, value.end, log=log), {}  # type: ignore[arg-type]
    if isinstance(value, RangeSweep):
        steps = list(value.range())
        if not steps:
            raise ValueError("the range is empty")
        low, high, step = min(steps), max(steps), abs(value.step)
        if isinstance(value.range(), range):
            return IntDistribution(int(low), int(high), log=log, step=1 if log else int(step)), {}
        return FloatDistribution(low, high, step=float(step)), {}
    elements = list(override.sweep_iterator())
    written = {_choice(element): typed(element) for element in elements}
    if len(written) < len(elements):
        raise ValueError("a choice stands there twice")
    return CategoricalDistribution(list(written)), written


def _choice(element: Any) -> Any:
    """A choice as Optuna keeps it: plain numbers and words; lists and dicts as they are typed."""
    return element if isinstance(element, str | int | float | bool) else Transformer.str(element)


def typed(value: Any) -> str:
    """A value as it is typed: what is no plain word stands in quotes, lists and dicts as they are."""
    if not isinstance(value, str):
        return str(Transformer.str(value))
    if value.startswith(("[", "{")) or (PLAIN.fullmatch(value) and value.lower() not in SPECIAL):
        return value
    return QuotedString(value, Quote.single).with_quotes()


class Space:
    """Parameters in the order in which they are chosen, and what must hold between them.

    Args:
        parameters: a condition may name those before it.
        constraints: every combination keeps to these; they may name any setting.
        base: gives the value that the configuration has for a setting.

    Raises:
        InputError: a condition names a parameter that comes later.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        constraints: Sequence[str] = (),
        base: Callable[[str], Any] = lambda _: None,
    ) -> None:
        self.parameters = tuple(parameters)
        self.constraints = tuple(Expression(one) for one in constraints)
        self.base = base
        later = {one.name for one in self.parameters}
        for one in self.parameters:
            later.discard(one.name)
            if named := sorted(one.needs & later):
                raise InputError(f"{one.name}: its condition names {named[0]}, which must stand before it")

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """What each parameter may be, by name."""
        return {one.name: one.distribution for one in self.parameters}

    def chosen(self, choose: Choose) -> dict[str, Any]:
        """A value for every parameter whose condition holds."""
        values: dict[str, Any] = {}
        for one in self.parameters:
            if one.when is None or one.when(self._value_of(values)):
                values[one.name] = choose(one, values)
        return values

    def allows(self, values: Mapping[str, Any]) -> bool:
        """Whether all constraints hold."""
        return all(one(self._value_of(values)) for one in self.constraints)

    def baseline(self) -> dict[str, Any]:
        """The configuration's own values.

        Raises:
            InputError: one is outside of the space, or they break a constraint.
        """
        values = self.chosen(self._own)
        for one in self.parameters:
            if one.name in values and not one.holds(values[one.name]):
                raise InputError(f"{one.name} is {values[one.name]}, which the space does not hold")
        for rule in self.constraints:
            if not rule(self._value_of(values)):
                raise InputError(f"{rule.text} does not hold")
        return values

    def _own(self, one: Parameter, values: dict[str, Any]) -> Any:
        """The configuration's value; of what is no setting itself, the choice from which its settings follow."""
        if not one.sets:
            return self.base(one.name)
        for choice in getattr(one.distribution, "choices", ()):
            value_of = self._value_of({**values, one.name: choice})
            if all(rule(value_of) == self.base(name.lstrip("+")) for name, rule in one.sets.items()):
                return choice
        return None

    def arguments(self, values: Mapping[str, Any]) -> list[str]:
        """The overrides that set `values`."""
        found = []
        for one in self.parameters:
            if one.name in values and not one.sets:
                value = values[one.name]
                found.append(f"{one.key}={one.written.get(value, value)}")
            elif one.name in values:
                value_of = self._value_of(values)
                found += [f"{name}={typed(rule(value_of))}" for name, rule in one.sets.items()]
        return found

    def _value_of(self, values: Mapping[str, Any]) -> Callable[[str], Any]:
        return lambda name: values[name] if name in values else self.base(name)
