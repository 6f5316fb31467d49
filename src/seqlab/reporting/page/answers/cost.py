"""What each setting costs to tune, train and run, beside the quality that it bought."""

from __future__ import annotations

from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.answers.answer import SHARED_MACHINE, Answer, Conclusion, Scope, mean, scopes
from seqlab.reporting.page.answers.architectures import ranked
from seqlab.reporting.page.cost_columns import BESIDE_QUALITY
from seqlab.reporting.page.groups import RunGroup, named, quality
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import diverged_seeds, metric_text, table_id

SHOWN = 3
"""The number of groups that a verdict lists, the best first; the others are the evidence."""


def cost(material: Material) -> Answer:
    """The costs of every setting of the user's, and of references where they compare architectures."""
    question = "What does that cost to tune, train and run?"
    conclusions, links = [], []
    for scope in scopes(material):
        if (scope.has_yours or scope.architectures > 1) and (conclusion := _costs(scope)):
            conclusions.append(conclusion)
            links.append((f"table, {scope.name}", table_id(material, scope.dataset)))
    if not conclusions:
        return Answer(question, run="make reproduce-C")
    return Answer(question, conclusions, list(dict.fromkeys(links)), limit=SHARED_MACHINE)


def _costs(scope: Scope) -> Conclusion | None:
    names, metric = named(scope.groups), quality(scope.groups)
    ordered = ranked(scope.groups, metric) if metric else scope.groups
    texts = [f"{names[one.id]}{_quality(one, metric)}: {costs}" for one in ordered if (costs := _written(one))]
    if not texts:
        return None
    others = [f"Cost of the others: {'; '.join(texts[SHOWN:])}."] if texts[SHOWN:] else []
    return Conclusion(scope.title, f"{'; '.join(texts[:SHOWN])}.", others, scope.has_yours)


def _quality(group: RunGroup, metric: str | None) -> str:
    if metric is None:
        return ""
    text = metric_text(group, metric)
    return f", {text}" if diverged_seeds(group, metric) else f", {text} {entry_of(metric).label}"


def _written(group: RunGroup) -> str:
    """All costs that the runs record; "" if there are none."""
    figures = ((one, one.figure(group)) for one in BESIDE_QUALITY)
    return ", ".join(f"{figure:{one.form}} {one.unit}" for one, figure in figures if figure and mean(figure) > 0)
