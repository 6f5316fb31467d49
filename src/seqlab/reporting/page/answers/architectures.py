"""Which architecture is best, and which trains fastest."""

from __future__ import annotations

from collections.abc import Sequence

from seqlab.reporting.page.answers.answer import Answer, Scope, in_form, lacking, mean, of, over, scopes
from seqlab.reporting.page.answers.evidence import between, compared, signed, unsure
from seqlab.reporting.page.groups import RunGroup, label, more_is_better, named, quality, slug
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import place

SPEED = ("training", "tokens_per_second")
SIZES_DIFFER = 1.05  # weights of one model over those of another, from which it is worth a word


def best(material: Material) -> Answer:
    """Which setting, by how much, and whether that is more than chance: wherever several compare."""
    question = "Which architecture is best, and is the difference more than chance?"
    asked = [one for one in _several(material) if quality(one.groups) is not None]
    if not asked:
        return Answer(question, run="make reproduce-C")
    sentences = [_best(material, one) for one in asked]
    links = [(f"table, {one.dataset}", place(material, one.dataset)) for one in _first_of_each(asked)]
    missing, run = lacking(material, [group for one in asked for group in one.groups])
    return Answer(question, sentences, links, run, missing)


def _several(material: Material) -> list[Scope]:
    """What asks for a comparison: several settings of the user's, several architectures of a reference."""
    return [one for one in scopes(material) if len(one.groups) > 1 and (one.own or one.architectures > 1)]


def _first_of_each(asked: Sequence[Scope]) -> list[Scope]:
    return list({one.dataset: one for one in reversed(asked)}.values())[::-1]


def _best(material: Material, scope: Scope) -> str:
    """The first two and what lies between them, then the figures of the others."""
    metric = quality(scope.groups)
    assert metric is not None
    names, word = named(scope.groups), label(metric)
    first, second, *others = ranked(scope.groups, metric)
    gap = compared(material, second, first, metric)
    assert gap is not None  # both have the metric, on one split
    better = "highest" if more_is_better(metric) else "lowest"
    one, two = (f"{names[group.id]}, {of(group, metric)}" for group in (first, second))
    size = gap.written(signed(word))
    if gap.shown:
        text = f"{one}, has the {better} {word} on {first.split}: {size} against the next, {two}."
    elif gap.none_shown:
        text = f"no best: between {one}, and {two}, no difference in {word} on {first.split} is shown: {size}."
    else:
        text = f"{one}, has the {better} {word} on {first.split}, {size} against the next, {two}."
        text += f" {unsure(gap, names[second.id], names[first.id])}"
    if others:
        text += f" The others: {'; '.join(f'{names[one.id]}, {of(one, metric)}' for one in others)}."
    return f"{scope.title}: {text}"


def ranked(groups: Sequence[RunGroup], metric: str) -> list[RunGroup]:
    """The best first."""
    return sorted(groups, key=lambda one: mean(one.metric(metric)), reverse=more_is_better(metric))


def fastest(material: Material) -> Answer:
    """Target tokens a second of training, of what ran on one machine."""
    question = "Which trains fastest?"
    sentences, asked = [], []
    for scope in _several(material):
        timed = [one for one in scope.groups if mean(one.figure(*SPEED)) > 0]
        machines = [some for some in _by_machine(timed) if not scope.own or any(one.own for one in some)]
        alike = max(machines, key=len, default=[])
        if len(alike) > 1:
            asked.append(scope)
            sentences.append(f"{scope.title}: {_speeds(alike)}")
        elif len(timed) > 1:
            sentences.append(f"{scope.title}: not known, as no two ran on the same machine.")
    if not sentences:
        return Answer(question, run="make reproduce-C")
    links = [(f"loss against time, {one.dataset}", f"time-{slug(one.dataset)}") for one in _first_of_each(asked)]
    return Answer(question, sentences, links)


def _by_machine(groups: Sequence[RunGroup]) -> list[list[RunGroup]]:
    found: dict[frozenset[object], list[RunGroup]] = {}
    for one in groups:
        found.setdefault(frozenset(one.devices), []).append(one)
    return [some for key, some in found.items() if len(key) == 1]


def _speeds(groups: Sequence[RunGroup]) -> str:
    """The fastest, what is between it and the next, and the figures of the others."""
    names = named(groups)
    first, second, *others = sorted(groups, key=lambda one: -mean(one.figure(*SPEED)))
    gap = between(second.values(*SPEED), first.values(*SPEED))
    assert gap is not None  # both have a speed
    one, two = (f"{names[group.id]}, {_speed(group)}" for group in (first, second))
    size = gap.written(lambda value: f"{value:+,.0f}".replace("-", "−"))
    if gap.shown:
        text = f"{one}, trains fastest, in target tokens a second: {size} against the next, {two}."
    elif gap.none_shown:
        text = f"between {one}, and {two}, no difference in target tokens a second is shown: {size}."
    else:
        text = f"{one}, has the most target tokens a second, {size} against the next, {two}."
        text += f" {unsure(gap, names[second.id], names[first.id])}"
    if others:
        text += f" The others: {'; '.join(f'{names[one.id]}, {_speed(one)}' for one in others)}."
    sizes = [weights.mean for one in groups if (weights := one.figure("parameters"))]
    if sizes and max(sizes) > SIZES_DIFFER * min(sizes):
        text += (
            f" The models differ in size: {in_form(min(sizes) / 1e6, '')} to {in_form(max(sizes) / 1e6, '')} million"
        )
        text += " weights."
    return text


def _speed(group: RunGroup) -> str:
    figure = group.figure(*SPEED)
    return "–" if figure is None else f"{figure:,.0f}{over(group, figure)}"
