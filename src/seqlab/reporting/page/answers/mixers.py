"""What other mixers change in place of self-attention."""

from __future__ import annotations

from collections.abc import Mapping

from hydra_pruning_sweeper.differences import Difference
from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.answers.answer import (
    Answer,
    Conclusion,
    Scope,
    mean,
    metric_over_seeds,
    missing_runs,
    scopes,
)
from seqlab.reporting.page.answers.carried_context import differing, set_apart
from seqlab.reporting.page.answers.evidence import compared, single_seeds
from seqlab.reporting.page.group_names import named
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.judging import quality
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import table_id
from seqlab.runs.run_figures import parameters

ATTENTION = "attention"

Pair = tuple[RunGroup, RunGroup]
"""A group with self-attention, and one with another mixer."""


def mixers(material: Material) -> Answer:
    """Models with another mixer against the same ones with self-attention, wherever both ran on the same data."""
    question = "What do other mixers change in place of self-attention?"
    conclusions, links, paired = [], [], []
    for scope in scopes(material):
        pairs = _pairs(scope)
        groups = [one for pair in pairs for one in pair]
        if metric := quality(groups):
            conclusions.append(_changes(material, scope, pairs, metric))
            links.append((f"table, {scope.name}", table_id(material, scope.dataset)))
            paired += groups
    if not conclusions:
        return Answer(question, run="make reproduce-P")
    missing, run = missing_runs(material, paired)
    return Answer(question, conclusions, list(dict.fromkeys(links)), run, missing)


def _pairs(scope: Scope) -> list[Pair]:
    """Of each architecture and mixer one pair: a tuned one if there is one, else that of the largest model."""
    chosen: dict[tuple[str, str], Pair] = {}
    for other in sorted(scope.groups, key=lambda one: (one.tuned, mean(one.figure(parameters)))):
        if (mixer := _mixer(other)) != ATTENTION and (base := _with_attention(other, scope)) is not None:
            chosen[other.architecture, mixer] = base, other
    return list(chosen.values())


def _mixer(group: RunGroup) -> str:
    return str(group.setting("model", "mixer") or ATTENTION)


def _with_attention(other: RunGroup, scope: Scope) -> RunGroup | None:
    """The group that differs least from this one, tuned if this one is."""
    alike = [
        one
        for one in scope.groups
        if (one.architecture, _mixer(one)) == (other.architecture, ATTENTION)
        and one.tuned == other.tuned
        and (not scope.has_yours or one.is_users or other.is_users)
    ]
    return min(alike, key=lambda one: len(differing(one, other)), default=None)


def _changes(material: Material, scope: Scope, pairs: list[Pair], metric: str) -> Conclusion:
    names = named(scope.groups)
    clauses = [_change(material, base, other, metric, names) for base, other in pairs]
    groups = {one.id: one for pair in pairs for one in pair}
    figures = "; ".join(f"{names[id]} {metric_over_seeds(one, metric)}" for id, one in groups.items())
    evidence = [f"{entry_of(metric).label} on {scope.groups[0].split}: {figures}."]
    evidence += set_apart(pairs, names, _differing, "the mixer")
    if any(other.tuned for _, other in pairs):
        evidence.append("A tuned model has the settings that a search found for it.")
    return Conclusion(scope.title, f"{'; '.join(clauses)}.", evidence, scope.has_yours)


def _differing(base: RunGroup, other: RunGroup) -> list[Difference]:
    return [one for one in differing(base, other) if one.name != "model.mixer"]


def _change(material: Material, base: RunGroup, other: RunGroup, metric: str, names: Mapping[str, str]) -> str:
    label = entry_of(metric).label
    gap = compared(material, base, other, metric)
    assert gap is not None  # both have the metric, on one split
    size, one, beside = gap.in_metric(label), names[other.id], names[base.id]
    if gap.shown:
        return f"{label} is {'higher' if gap.size > 0 else 'lower'} with {one} than with {beside}: {size}"
    if gap.none_shown:
        return f"no difference in {label} between {one} and {beside} is shown: {size}"
    return f"{label} of {one} less that of {beside} is {size}; {single_seeds(gap, beside, one)}"
