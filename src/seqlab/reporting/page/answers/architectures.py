"""Which architecture is best, and which trains fastest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hydra_pruning_sweeper.messages import plural
from seqlab.metrics.registry import EXACT_MATCH, entry_of
from seqlab.reporting.page.answers.answer import (
    SHARED_MACHINE,
    Answer,
    Conclusion,
    Scope,
    formatted,
    mean,
    metric_over_seeds,
    missing_runs,
    scopes,
    seed_count,
)
from seqlab.reporting.page.answers.evidence import between, compared, single_seeds
from seqlab.reporting.page.answers.single_runs import baseline, unbeaten
from seqlab.reporting.page.group_names import named, slug
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.judging import EXACT, FORMS, quality
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import table_id
from seqlab.runs.run_figures import epochs, of_length, parameters, tokens_per_second

SIZES_DIFFER = 1.05  # the ratio of two models' parameter counts from which their sizes are mentioned


def best(material: Material) -> Answer:
    """The best architecture on each dataset, by how much it leads, and whether the lead is more than chance."""
    question = "Which architecture is best, and is the difference more than chance?"
    judged = [one for one in _with_several(material) if quality(one.groups) is not None]
    if not judged:
        return Answer(question, run="make reproduce-C")
    conclusions = [_best(material, one) for one in judged]
    links = [(f"table, {one.name}", table_id(material, one.dataset)) for one in _first_per_dataset(judged)]
    missing, run = missing_runs(material, [group for one in judged for group in one.groups])
    return Answer(question, conclusions, links, run, missing)


def _with_several(material: Material) -> list[Scope]:
    """Scopes in which there is something to compare: several settings of the user's, or several architectures."""
    return [one for one in scopes(material) if len(one.groups) > 1 and (one.has_yours or one.architectures > 1)]


def _first_per_dataset(some: Sequence[Scope]) -> list[Scope]:
    return list({one.dataset: one for one in reversed(some)}.values())[::-1]


def _best(material: Material, scope: Scope) -> Conclusion:
    """The first two and the difference between them; the figures of the others are the evidence."""
    metric = quality(scope.groups)
    assert metric is not None
    names, label = named(scope.groups), entry_of(metric).label
    first, second, *others = ranked(scope.groups, metric)
    gap = compared(material, second, first, metric)
    assert gap is not None  # both have the metric, on one split
    better = "highest" if entry_of(metric).more_is_better else "lowest"
    one, two = (f"{names[group.id]}, {metric_over_seeds(group, metric)}" for group in (first, second))
    size = gap.in_metric(label)
    if gap.shown:
        text = f"{one}, has the {better} {label} on {first.split}: {size} against the next, {two}."
    elif gap.none_shown:
        text = f"no best: between {one}, and {two}, no difference in {label} on {first.split} is shown: {size}."
    else:
        text = f"{one}, has the {better} {label} on {first.split}, {size} against the next, {two}"
        text += f"; {single_seeds(gap, names[second.id], names[first.id])}."
    rest = "; ".join(f"{names[one.id]}, {metric_over_seeds(one, metric)}" for one in others)
    text = text.removesuffix(".") + _scale(first, second)
    simpler = unbeaten(first, metric)
    if simpler:
        text = f"no model beats {simpler}; among them {text}"
    evidence = [one for one in (_by_training_length(first, names), _by_training_length(second, names)) if one]
    evidence += [f"The others: {rest}."] if others else []
    evidence += [*_on_fewer_examples(scope, names), *_better_untuned(scope, metric, names)]
    evidence += _on_other_examples(material, scope)
    if scope.has_yours and not simpler and (without := baseline(first, metric)):
        evidence.append(f"Without a model, {without}.")
    return Conclusion(scope.title, text, evidence, scope.has_yours)


def _better_untuned(scope: Scope, metric: str, names: Mapping[str, str]) -> list[str]:
    """A sentence on architectures whose settings a search did not make better."""
    known = {(one.claim, one.profile, one.label): one for one in scope.groups if one.label}
    pairs = [
        (one, known.get((one.claim, one.profile, one.label.replace("_tuned", "_untuned"))))
        for one in known.values()
        if one.tuned
    ]
    worse = [
        f"{names[tuned.id]} {metric_over_seeds(tuned, metric)} against {metric_over_seeds(other, metric)}"
        for tuned, other in pairs
        if other is not None and ranked([tuned, other], metric)[0] is other
    ]
    return [f"What a search found is no better than the settings before it: {'; '.join(worse)}."] if worse else []


def _on_fewer_examples(scope: Scope, names: Mapping[str, str]) -> list[str]:
    """A sentence on groups that trained on fewer examples than others."""
    counts = {one.id: count for one in scope.groups if (count := one.training_examples)}
    most = max(counts.values(), default=0)
    fewer = [f"{names[id]} on {count:,}" for id, count in counts.items() if count < most]
    return [f"The training data have up to {most:,} examples, but {'; '.join(fewer)}."] if fewer else []


def _on_other_examples(material: Material, scope: Scope) -> list[str]:
    """A sentence on runs of the same dataset that cannot be compared."""
    here = scope.groups[0]
    others = [one for one in material.groups if one.dataset == scope.dataset and one.measured_on != here.measured_on]
    apart = dict.fromkeys(one.architecture for one in others if one.is_users == here.is_users)
    return [f"Not compared, since evaluated on other examples: runs of {', '.join(apart)}."] if apart else []


def _scale(first: RunGroup, second: RunGroup) -> str:
    """How large two groups are and how long they trained, to end a sentence: larger ones may come in another order."""
    sizes = [weights.mean / 1e6 for one in (first, second) if (weights := one.figure(parameters))]
    lengths = [round(trained.mean) for one in (first, second) if (trained := one.figure(epochs))]
    if len(sizes) < 2 or len(lengths) < 2:
        return "."
    if lengths[0] != lengths[1]:
        one, other = (
            f"{formatted(size, '')} million parameters, after {plural(length, 'epoch')}"
            for size, length in zip(sizes, lengths, strict=True)
        )
        return f"; the first with {one}, the other with {other}."
    low, high = (formatted(size, "") for size in (min(sizes), max(sizes)))
    size = low if low == high else f"{low} to {high}"
    return f"; both with {size} million parameters, after {plural(lengths[0], 'epoch')}."


def _by_training_length(group: RunGroup, names: Mapping[str, str]) -> str:
    """The exact match of a group up to the longest source of training and beyond it, where test goes beyond."""
    if group.trained_to is None:
        return ""
    ranges = (of_length(EXACT_MATCH, 1, group.trained_to), of_length(EXACT_MATCH, group.trained_to + 1))
    shares = [group.figure(one) for one in ranges]
    if None in shares:
        return ""
    within, beyond = (format(one, FORMS[EXACT]) for one in shares)
    return f"{names[group.id]}: exact match {within} up to {group.trained_to} tokens, as in training, {beyond} beyond."


def ranked(groups: Sequence[RunGroup], metric: str) -> list[RunGroup]:
    """Groups by their mean, the best first."""
    return sorted(groups, key=lambda one: mean(one.metric(metric)), reverse=entry_of(metric).more_is_better)


def fastest(material: Material) -> Answer:
    """Target tokens per second of training; groups that ran on different machines are not compared."""
    question = "Which trains fastest?"
    conclusions, measured = [], []
    for scope in _with_several(material):
        timed = [one for one in scope.groups if mean(one.figure(tokens_per_second)) > 0]
        machines = [some for some in _by_machine(timed) if not scope.has_yours or any(one.is_users for one in some)]
        alike = max(machines, key=len, default=[])
        if len(alike) > 1:
            measured.append(scope)
            conclusions.append(_speeds(scope, alike))
        elif len(timed) > 1:
            unknown = "not known, as no two are known to have run on one machine."
            conclusions.append(Conclusion(scope.title, unknown, is_users=scope.has_yours))
    if not conclusions:
        return Answer(question, run="make reproduce-C")
    links = [(f"loss against time, {one.name}", f"time-{slug(one.dataset)}") for one in _first_per_dataset(measured)]
    return Answer(question, conclusions, links, limit=SHARED_MACHINE if measured else "")


def _by_machine(groups: Sequence[RunGroup]) -> list[list[RunGroup]]:
    machines: dict[frozenset[object], list[RunGroup]] = {}
    for one in groups:
        machines.setdefault(frozenset(one.machines), []).append(one)
    return [some for devices, some in machines.items() if len(devices) == 1]


def _speeds(scope: Scope, groups: Sequence[RunGroup]) -> Conclusion:
    """The fastest, and the difference between it and the next; the figures of the others are the evidence."""
    names = named(scope.groups)
    first, second, *others = sorted(groups, key=lambda one: -mean(one.figure(tokens_per_second)))
    gap = between(second.by_seed(tokens_per_second), first.by_seed(tokens_per_second))
    assert gap is not None  # both have a speed
    one, two = (f"{names[group.id]}, {_speed(group)}" for group in (first, second))
    size = gap.written(",.0f")
    if gap.shown:
        text = f"{one}, trains fastest, in target tokens per second: {size} against the next, {two}."
    elif gap.none_shown:
        text = f"between {one}, and {two}, no difference in target tokens per second is shown: {size}."
    else:
        text = f"{one}, has the most target tokens per second, {size} against the next, {two}"
        text += f"; {single_seeds(gap, names[second.id], names[first.id])}."
    evidence = []
    if others:
        evidence.append(f"The others: {'; '.join(f'{names[one.id]}, {_speed(one)}' for one in others)}.")
    if len(groups) < len(scope.groups):
        evidence.append(f"{len(groups)} of {len(scope.groups)} settings have times of their own on one machine.")
    sizes = [weights.mean for one in groups if (weights := one.figure(parameters))]
    if sizes and max(sizes) > SIZES_DIFFER * min(sizes):
        low, high = (formatted(size / 1e6, "") for size in (min(sizes), max(sizes)))
        evidence.append(f"The models differ in size: {low} to {high} million parameters.")
    return Conclusion(scope.title, text, evidence, scope.has_yours)


def _speed(group: RunGroup) -> str:
    figure = group.figure(tokens_per_second)
    return "not measured" if figure is None else f"{figure:,.0f}{seed_count(group, figure)}"
