"""What each setting costs to tune, train and run, beside the quality that it bought."""

from __future__ import annotations

from collections.abc import Sequence

from hydra_pruning_sweeper.messages import plural
from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.answers.answer import SHARED_MACHINE, Answer, Conclusion, Scope, mean, scopes
from seqlab.reporting.page.answers.architectures import ranked
from seqlab.reporting.page.cost_columns import BESIDE_QUALITY, CostColumn
from seqlab.reporting.page.group_names import named
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.judging import quality
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import (
    Table,
    TableCell,
    diverged_seeds,
    figure_cell,
    metric_cell,
    metric_text,
    table_id,
    without_empty,
)

SHOWN = 3
"""The number of groups that the table of an answer has, the best first, besides all of the user's; the table that it
links to has all."""


def cost(material: Material) -> Answer:
    """The costs of every setting of the user's, and of references where they compare architectures."""
    question = "What does that cost to tune, train and run?"
    conclusions, links = [], []
    for scope in scopes(material):
        if (scope.has_yours or scope.architectures > 1) and (conclusion := _costs(scope)):
            conclusions.append(conclusion)
            links.append((f"all, {scope.name}", table_id(material, scope.dataset)))
    if not conclusions:
        return Answer(question, run="make reproduce-C")
    return Answer(question, conclusions, list(dict.fromkeys(links)), limit=SHARED_MACHINE)


def _costs(scope: Scope) -> Conclusion | None:
    """What the best of which more than the size is known cost, in a table; what none of them recorded has no column."""
    names, metric = named(scope.groups), quality(scope.groups)
    ordered = ranked(scope.groups, metric) if metric else scope.groups
    recorded = _recorded(ordered, BESIDE_QUALITY[1:]) or _recorded(ordered, BESIDE_QUALITY[:1])
    shown = [one for i, one in enumerate(recorded) if i < SHOWN or one.is_users]
    if not shown:
        return None
    rows = [
        [
            TableCell(names[one.id], group=one),
            *([metric_cell(one, metric)] if metric else []),
            *(figure_cell(one, of.figure(one), of.form) for of in BESIDE_QUALITY),
        ]
        for one in shown
    ]
    quality_head = [(entry_of(metric).label, f"on {shown[0].split}")] if metric else []
    heads = [("runs of", ""), *quality_head, *((of.head, of.meaning) for of in BESIDE_QUALITY)]
    table = without_empty(Table("", f"costs on {scope.title}", heads, rows))
    verdict = f"{names[shown[0].id]}{_quality(shown[0], metric)}{_and_more(len(rows) - 1)}{_apart(shown)}:"
    return Conclusion(scope.title, verdict, is_users=scope.has_yours, table=table)


def _recorded(groups: Sequence[RunGroup], costs: Sequence[CostColumn]) -> list[RunGroup]:
    """The groups that have at least one of the costs."""
    return [one for one in groups if any(mean(of.figure(one)) > 0 for of in costs)]


def _and_more(count: int) -> str:
    return f", and {plural(count, 'other setting')} whose costs are known" if count else ""


def _apart(groups: Sequence[RunGroup]) -> str:
    """That times do not compare, where they may be of several machines."""
    machines = {frozenset(one.machines) for one in groups}
    return "; their times, not known to be of one machine, do not compare" if len(machines) > 1 else ""


def _quality(group: RunGroup, metric: str | None) -> str:
    if metric is None:
        return ""
    text = metric_text(group, metric)
    return f", {text}" if diverged_seeds(group, metric) else f", {text} {entry_of(metric).label}"
