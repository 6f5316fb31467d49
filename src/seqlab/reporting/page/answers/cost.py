"""What each setting costs to tune, train and run, beside the quality that it bought."""

from __future__ import annotations

from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.answers.answer import SHARED_MACHINE, Answer, Conclusion, Scope, mean, scopes
from seqlab.reporting.page.answers.architectures import ranked
from seqlab.reporting.page.cost_columns import BESIDE_QUALITY
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
"""The number of groups that the table of an answer has, the best first; all are in the table that it links to."""


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
    """What the best cost, in a table; a cost that none of them recorded has no column."""
    names, metric = named(scope.groups), quality(scope.groups)
    ordered = ranked(scope.groups, metric) if metric else scope.groups
    recorded = [one for one in ordered if any(mean(of.figure(one)) > 0 for of in BESIDE_QUALITY)][:SHOWN]
    if not recorded:
        return None
    rows = [
        [
            TableCell(names[one.id], group=one),
            *([metric_cell(one, metric)] if metric else []),
            *(figure_cell(one, of.figure(one), of.form) for of in BESIDE_QUALITY),
        ]
        for one in recorded
    ]
    quality_head = [(entry_of(metric).label, f"on {recorded[0].split}")] if metric else []
    heads = [("runs of", ""), *quality_head, *((of.head, of.meaning) for of in BESIDE_QUALITY)]
    table = without_empty(Table("", f"costs on {scope.title}", heads, rows))
    next_ones = f", and the next {len(rows) - 1}" if len(rows) > 1 else ""
    verdict = f"{names[recorded[0].id]}{_quality(recorded[0], metric)}{next_ones}:"
    return Conclusion(scope.title, verdict, own=scope.has_yours, table=table)


def _quality(group: RunGroup, metric: str | None) -> str:
    if metric is None:
        return ""
    text = metric_text(group, metric)
    return f", {text}" if diverged_seeds(group, metric) else f", {text} {entry_of(metric).label}"
