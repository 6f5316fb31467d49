"""What carrying the context to every step of the decoder changes."""

from __future__ import annotations

from itertools import product
from typing import Any

from seqlab.reporting.page.answers.answer import Answer, Scope, lacking, listed, of, scopes
from seqlab.reporting.page.answers.architectures import SIZES_DIFFER
from seqlab.reporting.page.answers.evidence import between, compared, signed, unsure
from seqlab.reporting.page.groups import NAMES, Group, named, quality, seconds_a_step
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import place

EQUAL = {  # what a comparison of the two keeps equal, and where it stands among a run's settings
    "cell": ("model", "cell"),
    "width": ("model", "width"),
    "layers": ("model", "layers"),
    "epochs": ("trainer", "max_epochs"),
    "batch size": ("data", "batch_size"),
    "learning rate": ("optimizer", "lr"),
}


def carried(material: Material) -> Answer:
    """The same model with only the decoder changed: `gru` beside `context_gru`, wherever both ran on the same data."""
    question = "What did carrying the context to every decoder step change?"
    sentences: list[str] = []
    links: list[tuple[str, str]] = []
    asked: list[Group] = []
    for scope in scopes(material):
        pair = _pair(scope)
        if pair and (metric := quality(pair)):
            sentences.append(_change(material, scope, *pair, metric))
            links.append((f"table, {scope.dataset}", place(material, scope.dataset)))
            asked += pair
    if not sentences:
        return Answer(question, run="make reproduce-C")
    missing, run = lacking(material, asked)
    return Answer(question, sentences, list(dict.fromkeys(links)), run, missing)


def _pair(scope: Scope) -> tuple[Group, Group] | None:
    """The two that differ least; of the user's runs, if it is theirs."""
    without, carrying = ([one for one in scope.groups if one.architecture == name] for name in ("gru", "context_gru"))
    pairs = [pair for pair in product(without, carrying) if not scope.own or any(one.own for one in pair)]
    return min(pairs, key=lambda pair: len(_other(*pair)), default=None)


def _change(material: Material, scope: Scope, without: Group, carrying: Group, metric: str) -> str:
    names, word = named([without, carrying]), NAMES[metric]
    change = compared(material, without, carrying, metric)
    assert change is not None  # both have the metric, on one split
    size = change.written(signed(word))
    figures = f"from {of(without, metric)} ({names[without.id]}) to {of(carrying, metric)} ({names[carrying.id]})"
    if change.shown:
        text = f"it {'raised' if change.size > 0 else 'lowered'} {word}, {figures}: {size}."
    elif change.none_shown:
        text = f"no difference in {word} is shown, {figures}: {size}."
    else:
        text = f"{word} went {figures}: {size}. {unsure(change, names[without.id], names[carrying.id])}"
    text += f" {_all_else(without, carrying)} {_time(without, carrying)} {_size(without, carrying)}"
    return f"{scope.title}: {' '.join(text.split())}"


def _same(a: Group, b: Group) -> list[str]:
    return [name for name, path in EQUAL.items() if _same_setting(a.setting(*path), b.setting(*path))]


def _other(a: Group, b: Group) -> list[str]:
    """Which settings differ; one that only one side has belongs to its architecture."""
    both = {name: (a.setting(*path), b.setting(*path)) for name, path in EQUAL.items()}
    return [name for name, (one, two) in both.items() if None not in (one, two) and one != two]


def _same_setting(one: Any, two: Any) -> bool:
    return one is not None and bool(one == two)


def _all_else(a: Group, b: Group) -> str:
    same, other = _same(a, b), _other(a, b)
    if other:
        return f"The two differ in {listed(other)}, too, so this is not the context's alone."
    return f"Both have the same {listed(same)}." if same else ""


def _time(without: Group, carrying: Group) -> str:
    """What a step takes, on one machine."""
    if carrying.devices != without.devices or len(carrying.devices) > 1:
        return "They ran on different machines, so their times do not compare."
    quick, slow = without.by_seed(seconds_a_step), carrying.by_seed(seconds_a_step)
    change, names = between(quick, slow), named([without, carrying])
    if change is None:
        return ""
    size = change.written(lambda seconds: f"{1000 * seconds:+.3g}".replace("-", "−"), " ms")
    if change.shown:
        return f"A training step takes {'longer' if change.size > 0 else 'less time'}: {size}."
    if change.none_shown:
        return f"No difference in the time of a training step is shown: {size}."
    unknown = unsure(change, names[without.id], names[carrying.id])
    return f"The time of a training step differs by {size}. {unknown}"


def _size(without: Group, carrying: Group) -> str:
    more, less = carrying.figure("parameters"), without.figure("parameters")
    if not more or not less or max(more.mean, less.mean) <= SIZES_DIFFER * min(more.mean, less.mean):
        return ""
    return f"It has {more.mean / 1e6:.2g} million weights instead of {less.mean / 1e6:.2g}: size may be part of it."
