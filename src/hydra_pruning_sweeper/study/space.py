"""The search space: Hydra's sweep syntax as Optuna's distributions, with conditions and constraints."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    Glob,
    IntervalSweep,
    Override,
    Quote,
    QuotedString,
    RangeSweep,
    Transformer,
)
from hydra.errors import HydraException
from omegaconf import OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.study.expressions import Expression

PLAIN = re.compile(r"[A-Za-z_][\w/.-]*")
SPECIAL = ("true", "false", "null", "nan", "inf")  # words that Hydra reads as values
RANGE = re.compile(r"\brange\s*\(([^()]*)\)")
CHOICE = re.compile(r"\s*choice\s*\((.*)\)\s*", re.DOTALL)
MOST = 10_000  # values of a range
LONGEST = 20_000  # characters of a sweep: Hydra's parser takes seconds for that many
DEEPEST = 20  # levels of nested brackets
UNSET = object()  # the value of a setting that the configuration does not have

Choose = Callable[["Parameter", dict[str, Any]], Any]
"""Chooses the value of a parameter from it and the values chosen before."""


@dataclass(frozen=True)
class Parameter:
    """A setting that is searched, or a helper variable from which settings are computed.

    Args:
        key: the setting as it is typed, with a `+` where the configuration does not contain it yet.
        distribution: the values it may take.
        when: the condition under which it is searched; otherwise the configuration's value stays.
        written: choice → how it is typed.
        meant: choice → its value in a configuration: Optuna keeps lists and mappings as text.
        sets: setting → its formula, where the parameter is a helper variable.
    """

    key: str
    distribution: BaseDistribution
    when: Expression | None = None
    written: Mapping[Any, str] = field(default_factory=dict)
    meant: Mapping[Any, Any] = field(default_factory=dict)
    sets: Mapping[str, Expression] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The setting's name."""
        return self.key.lstrip("+")

    @property
    def needs(self) -> frozenset[str]:
        """The other settings that its condition and formulas name."""
        named = [one.names for one in (self.when, *self.sets.values()) if one is not None]
        return frozenset().union(*named) - {self.name}

    @property
    def described(self) -> str:
        """The parameter in one line, all but its name: parameters with the same line are searched in the same way."""
        sweep = f"choice({','.join(self.written.values())})" if self.written else described(self.distribution)
        when = f" when {self.when.text}" if self.when is not None else ""
        sets = "".join(f", {name} = {rule.text}" for name, rule in self.sets.items())
        return f"{sweep}{when}{sets}"

    def choice(self, value: Any) -> Any:
        """The choice that represents a configuration's `value`; the value itself if there is none."""
        plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        same = [one for one, meant in self.meant.items() if type(meant) is type(plain) and meant == plain]
        return same[0] if same else plain

    def holds(self, value: Any) -> bool:
        """Whether `value` is within the distribution."""
        try:
            return bool(self.distribution._contains(self.distribution.to_internal_repr(value)))
        except (ValueError, TypeError):
            return False


def parameter(key: str, sweep: str, when: str | None = None, sets: Mapping[str, str] = {}) -> Parameter:
    """A parameter from Hydra's sweep syntax: `interval`, `choice`, `range`, `int(interval(…))`, `tag(log, …)`.

    Args:
        key: the setting; with `sets` any word, the helper variable's name.
        sweep: what is typed after the `=`.
        when: the condition under which it is searched.
        sets: settings that are computed from it: `model.feed_forward: factor * model.width`.

    Raises:
        UsageError: `sweep` is not a sweep, or an empty one.
    """
    try:
        _check_size(sweep)
        override = _parsed(key, sweep)
    except (HydraException, RecursionError, ValueError) as error:
        raise UsageError(f"{key}: {' '.join(str(error).split())}") from None
    if not override.is_sweep_override():
        raise UsageError(f"{key} must be an interval(…), choice(…) or range(…), but is {sweep!r}")
    try:
        distribution, elements = _distribution(override)
    except (HydraException, ValueError, OverflowError) as error:
        raise UsageError(f"{key}={sweep}: {error}") from None
    computed = {name: Expression(text) for name, text in sets.items()}
    written = {choice: typed(element) for choice, element in elements.items()}
    meant = {choice: Override._convert_value(element) for choice, element in elements.items()}
    return Parameter(key, distribution, Expression(when) if when else None, written, meant, computed)


def _parsed(key: str, sweep: str) -> Override:
    """A sweep as Hydra parses it. Its `choice` does not accept null, so that such a list is parsed without the word."""
    parser = OverridesParser.create()
    try:
        return parser.parse_override(f"{key}={sweep}")
    except HydraException as error:
        if "NoneType" in str(error) and (match := CHOICE.fullmatch(sweep)):
            return parser.parse_override(f"{key}={match[1]}")
        raise


def _check_size(sweep: str) -> None:
    """Limits what Hydra has to parse: a range that is sorted or shuffled becomes a list, however long.

    Raises:
        ValueError: the sweep is too long or too deeply nested, or contains a range of too many values.
    """
    if len(sweep) > LONGEST:
        raise ValueError(f"must have at most {LONGEST:,} characters, but has {len(sweep):,}")
    depth = list(accumulate((one in "([{") - (one in ")]}") for one in sweep))
    if max(depth, default=0) > DEEPEST:
        raise ValueError(f"must have at most {DEEPEST} levels of brackets")
    for match in RANGE.finditer(sweep):
        try:
            start, stop, step = _bounds(match[1])
        except (ValueError, TypeError):
            continue  # Hydra's parser reports what is wrong with it
        if step and abs((stop - start) / step) > MOST:
            raise ValueError(f"{match[0]} has more than {MOST:,} values: search an interval(…) or int(interval(…))")


def _bounds(arguments: str) -> tuple[float, float, float]:
    """Start, stop and step of a range, whose arguments have positions or names, as in Python."""
    positional, named = [], {"start": 0.0, "step": 1.0}
    for one in arguments.split(","):
        name, _, value = one.rpartition("=")
        if name:
            named[name.strip()] = float(value)
        else:
            positional.append(float(value))
    named |= dict(zip(("stop",) if len(positional) == 1 else ("start", "stop", "step"), positional, strict=False))
    return named.get("start", 0.0), named.get("stop", 0.0), named.get("step", 1.0)


def _distribution(override: Override) -> tuple[BaseDistribution, dict[Any, Any]]:
    """The distribution, and for choices: each as Optuna keeps it → as Hydra parsed it."""
    value: Any = override.value()
    tags = set(getattr(value, "tags", ()))
    log = "log" in tags
    if unknown := sorted(map(str, tags - {"log"})):
        raise ValueError(f"the only tag is log, but there is {unknown[0]}")
    if isinstance(value, IntervalSweep):
        kind = IntDistribution if isinstance(value.start, int) else FloatDistribution
        if not all(math.isfinite(end) for end in (value.start or 0, value.end or 0)):
            raise ValueError("an interval must have finite ends")
        return kind(value.start, value.end, log=log), {}  # type: ignore[arg-type]
    if isinstance(value, RangeSweep):
        return _steps(value, log), {}
    if isinstance(value, Glob):
        raise ValueError("type the options as choice(…)")
    if log:
        raise ValueError("only an interval or a range can be logarithmic")
    elements = list(override.sweep_iterator())
    choices = {_choice(element): element for element in elements}
    if len(choices) < len(elements):
        raise ValueError("a choice is listed twice")
    return CategoricalDistribution(list(choices)), choices


def _steps(value: RangeSweep, log: bool) -> BaseDistribution:
    steps, step = list(value.range()), abs(value.step)
    if not steps:
        raise ValueError("the range is empty")
    whole = isinstance(value.range(), range)
    if log and not (whole and step == 1):
        raise ValueError("a range with a step cannot be logarithmic: type its values as choice(…)")
    if whole:
        return IntDistribution(int(min(steps)), int(max(steps)), log=log, step=int(step))
    return FloatDistribution(min(steps), max(steps), step=float(step))


def _all_of(distribution: BaseDistribution, most: int) -> list[Any] | None:
    """The values of a distribution; None if there are more than `most`, or infinitely many."""
    match distribution:
        case CategoricalDistribution():
            return list(distribution.choices)
        case IntDistribution() if (distribution.high - distribution.low) // distribution.step < most:
            return list(range(distribution.low, distribution.high + 1, distribution.step))
        case FloatDistribution(step=float() as step) if (distribution.high - distribution.low) / step < most:
            return [
                distribution.low + at * step for at in range(round((distribution.high - distribution.low) / step) + 1)
            ]
    return None


def described(distribution: BaseDistribution) -> str:
    """A distribution in Hydra's sweep syntax."""
    match distribution:
        case CategoricalDistribution():
            return f"choice({','.join(map(typed, distribution.choices))})"
        case FloatDistribution(step=None):
            sweep = f"interval({distribution.low},{distribution.high})"
        case IntDistribution(step=1):
            sweep = f"int(interval({distribution.low},{distribution.high}))"
        case FloatDistribution() | IntDistribution():
            step = distribution.step or 0
            sweep = f"range({distribution.low},{distribution.high + step},{step})"
        case _:
            return str(distribution)
    return f"tag(log,{sweep})" if distribution.log else sweep


def suggest(trial: Trial, one: Parameter) -> Any:
    """The value of a parameter in a trial; the study's sampler draws it where there is none yet."""
    match one.distribution:
        case FloatDistribution() as kind:
            return trial.suggest_float(one.name, kind.low, kind.high, step=kind.step, log=kind.log)
        case IntDistribution() as kind:
            return trial.suggest_int(one.name, kind.low, kind.high, step=kind.step, log=kind.log)
        case CategoricalDistribution() as kind:
            return trial.suggest_categorical(one.name, kind.choices)
    raise TypeError(type(one.distribution))


def _choice(element: Any) -> Any:
    """A choice as Optuna keeps it: null, numbers and words unchanged, lists and mappings as text."""
    if element is None or isinstance(element, str | int | float | bool):
        return element
    return element.text if isinstance(element, QuotedString) else Transformer.str(element)


def typed(value: Any) -> str:
    """A value as it is typed: text that is not a plain word in quotes, lists and mappings in brackets."""
    text = value.text if isinstance(value, QuotedString) else value
    if not isinstance(text, str):
        return str(Transformer.str(text))
    if PLAIN.fullmatch(text) and text.lower() not in SPECIAL:
        return text
    return QuotedString(text, Quote.single).with_quotes()


class Space:
    """Parameters, in the order in which they are chosen, and the constraints between them.

    Args:
        parameters: the condition of one may name those before it.
        constraints: conditions that the values of every trial satisfy; they may name any setting.
        base: a function from a setting to its value in the configuration, or `UNSET`.

    Raises:
        UsageError: a condition names a parameter that comes later.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        constraints: Sequence[str] = (),
        base: Callable[[str], Any] = lambda _: UNSET,
    ) -> None:
        self.parameters = tuple(parameters)
        self.constraints = tuple(Expression(one) for one in constraints)
        self.base = base
        later = {one.name for one in self.parameters}
        for one in self.parameters:
            later.discard(one.name)
            if named := sorted(one.needs & later):
                raise UsageError(f"{one.name}: its condition names {named[0]}, which must come before it")

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The distribution of each parameter, by name."""
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

    def all_values(self, most: int) -> list[dict[str, Any]] | None:
        """All values that a trial may have; None if there are more than `most`, or infinitely many."""
        choices = [_all_of(one.distribution, most) for one in self.parameters]
        if None in choices or math.prod(map(len, cast(list[list[Any]], choices))) > most:
            return None
        names = [one.name for one in self.parameters]
        distinct: list[dict[str, Any]] = []
        for combination in itertools.product(*cast(list[list[Any]], choices)):
            drawn = dict(zip(names, combination, strict=True))
            values = self.chosen(lambda one, _, drawn=drawn: drawn[one.name])  # type: ignore[misc]
            if self.allows(values) and values not in distinct:
                distinct.append(values)
        return distinct

    def baseline(self) -> dict[str, Any]:
        """The parameters' values in the configuration.

        Raises:
            UsageError: one is outside of the space, or they violate a constraint.
        """
        values = self.chosen(self._configured)
        for one in self.parameters:
            if one.name in values and not one.holds(value := values[one.name]):
                shown = "not set" if value is UNSET else typed(value)
                raise UsageError(f"{one.name} is {shown}, which is outside the space")
        for rule in self.constraints:
            if not rule(self._value_of(values)):
                raise UsageError(f"{rule.text} does not hold")
        return values

    def _configured(self, one: Parameter, values: dict[str, Any]) -> Any:
        """The configuration's value; for a helper variable, the choice from which its settings' values follow."""
        if not one.sets:
            return one.choice(self.base(one.name))
        for choice in getattr(one.distribution, "choices", ()):
            value_of = self._value_of({**values, one.name: choice})
            if all(rule(value_of) == self.base(name.lstrip("+")) for name, rule in one.sets.items()):
                return choice
        return UNSET

    def arguments(self, values: Mapping[str, Any]) -> list[str]:
        """The overrides that set `values`."""
        overrides = []
        for one in self.parameters:
            if one.name in values and not one.sets:
                value = values[one.name]
                overrides.append(f"{one.key}={one.written.get(value, value)}")
            elif one.name in values:
                value_of = self._value_of(values)
                overrides += [f"{name}={typed(rule(value_of))}" for name, rule in one.sets.items()]
        return overrides

    def _value_of(self, values: Mapping[str, Any]) -> Callable[[str], Any]:
        def value_of(name: str) -> Any:
            value = values[name] if name in values else self.base(name)
            return None if value is UNSET else value

        return value_of
