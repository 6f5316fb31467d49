"""What quality costs: parameters, seconds of training and speed, beside the figure that they bought."""

from __future__ import annotations

from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.answers.answer import SHARED_MACHINE, Answer, Conclusion, Scope, mean, scopes
from seqlab.reporting.page.answers.architectures import ranked
from seqlab.reporting.page.groups import RunGroup, named, quality
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import diverged_seeds, metric_text, table_id

SHOWN = 3
"""The number of groups that a verdict lists, the best first; the others are the evidence."""

COSTS = (
    (("parameters",), ",.0f", "parameters"),
    (("training", "seconds"), ",.0f", "s of training"),
    (("training", "tokens_per_second"), ",.0f", "target tokens per second"),
)
"""Where a digest has each cost, its form and its unit."""


def cost(material: Material) -> Answer:
    """Size and time of every setting of the user's, and of references where they compare architectures."""
    question = "What does that cost, in size and time?"
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
    figures = ((group.figure(*path), form, unit) for path, form, unit in COSTS)
    return ", ".join(f"{figure:{form}} {unit}" for figure, form, unit in figures if figure and mean(figure) > 0)
