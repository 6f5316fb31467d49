"""Checks arguments against a function's signature before it is called."""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hydra_pruning_sweeper.messages import did_you_mean, either
from seqlab.errors import InputError

SEQUENCES = (list, tuple, collections.abc.Sequence)
MAPPINGS = (dict, collections.abc.Mapping)
UNIONS = (typing.Union, types.UnionType)
WORDS: dict[Any, str] = {
    **{int: "an integer", float: "a number", str: "text", bool: "true or false", types.NoneType: "null"},
    **dict.fromkeys(SEQUENCES, "a list"),
    **dict.fromkeys(MAPPINGS, "a mapping"),
}
"""What a user types, by its type."""
PLURALS = {"an integer": "integers", "a number": "numbers", "text": "texts"}
SHOWN = 200
"""Characters of a wrong name or value that a message shows."""


def check_arguments(function: Any, arguments: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Checks keyword arguments against a signature and returns them; YAML's lists become tuples if the annotation is a
    tuple.

    Raises:
        InputError: `function` does not take a name, or a value does not match its annotation.
    """
    try:
        known = parameters(function)
    except (TypeError, ValueError):
        return dict(arguments)  # some built-in callables have no signature
    hints = _hints(function)
    checked = dict(arguments)
    for name, value in arguments.items():
        if known is not None and name not in known:
            raise unknown_key(key, name, function.__qualname__, known)
        if name not in hints or _matches(value, hints[name]):
            continue
        if not (isinstance(value, list) and _matches(tuple(value), hints[name])):
            raise InputError(f"{key}.{name} must be {_name(hints[name])}, but is {_shown(repr(value))}")
        checked[name] = tuple(value)
    return checked


def unknown_key(key: str, name: str, taker: str, known: Collection[str]) -> InputError:
    """The error of a setting `name` of the group `key` that `taker`, a class or function, does not take."""
    meant = did_you_mean(name, known, f"{key}.")
    return InputError(f"{key}.{_shown(name)}: unknown key; {taker} takes {', '.join(sorted(known))}{meant}")


def with_defaults(function: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of all parameters, updated with `arguments`."""
    defaults: dict[str, Any] = {}
    for one in reversed(_signatures(function)):
        known = inspect.signature(one).parameters
        defaults |= {name: p.default for name, p in known.items() if p.default is not p.empty}
    return {**defaults, **arguments}


def _signatures(function: Any) -> list[Any]:
    """The callables whose parameters count: for a class, its `__init__` and those of bases that `**kwargs` reach."""
    if not inspect.isclass(function):
        return [function]
    inits = [vars(cls)["__init__"] for cls in function.__mro__ if "__init__" in vars(cls)]
    forwarding = [_keywords(init) is not None for init in inits]
    return inits[: forwarding.index(False) + 1] if False in forwarding else inits


def _keywords(function: Any) -> str | None:
    kinds = inspect.signature(function).parameters.values()
    return next((p.name for p in kinds if p.kind is p.VAR_KEYWORD), None)


def parameters(function: Any) -> set[str] | None:
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
            continue  # annotations that do not resolve at run time are not checked
    return hints


def _matches(value: Any, hint: Any) -> bool:
    if _has_exactly(value, hint):
        return True
    from beartype import BeartypeConf  # imported only here: most values need no more than the line above
    from beartype.door import is_bearable

    try:
        # The setting lets an int pass for a float.
        return is_bearable(value, hint, conf=BeartypeConf(is_pep484_tower=True)) and _elements_match(value, hint)
    except Exception:
        return True  # beartype does not know this hint


def _has_exactly(value: Any, hint: Any) -> bool:
    """Whether the type of a value is the class that a hint names, or one of the classes of a union. Of other hints only
    lists and literals are looked into, so False says nothing yet.
    """
    if inspect.isclass(hint):
        return type(value) is hint
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in UNIONS:
        return any(_has_exactly(value, one) for one in inner)
    if origin is typing.Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    return (
        type(value) is list
        and origin in (list, collections.abc.Sequence)
        and all(_has_exactly(one, inner[0]) for one in value)
    )


def _elements_match(value: Any, hint: Any) -> bool:
    """Whether all elements have the right type: beartype checks a random one, and takes a str for a sequence of str."""
    if typing.get_origin(hint) not in SEQUENCES or len(kinds := set(typing.get_args(hint)) - {...}) != 1:
        return True
    if isinstance(value, str):
        return False
    (kind,) = kinds
    return all(isinstance(one, str) if kind is str else _matches(one, kind) for one in value)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _name(hint: Any) -> str:
    """What a hint takes, in words that fit what is typed: "an integer or null"."""
    kinds = dict.fromkeys(_typed_kinds(hint))
    if WORDS[float] in kinds:
        kinds.pop(WORDS[int], None)  # which is one
    return either(kinds or [_class_name(hint)])


def _typed_kinds(hint: Any) -> Iterator[str]:
    """The kinds of values that can be typed; of a union, those of its members."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in UNIONS:
        for one in inner:
            yield from _typed_kinds(one)
    elif origin is typing.Literal:
        yield from ("null" if value is None else str(value) for value in inner)
    elif origin in SEQUENCES:
        elements = dict.fromkeys(kind for one in inner if one is not ... for kind in _typed_kinds(one))
        plural = PLURALS.get(next(iter(elements), "")) if len(elements) == 1 else None
        yield f"a list of {plural}" if plural else "a list"
    elif hint in WORDS:
        yield WORDS[hint]
    elif origin in MAPPINGS:
        yield "a mapping"


def _class_name(hint: Any) -> str:
    """The name of a hint of which nothing can be typed."""
    return hint.__name__ if inspect.isclass(hint) else str(hint).replace("typing.", "")
