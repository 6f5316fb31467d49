"""How to reproduce any one number."""

from __future__ import annotations

from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.answers.answer import Answer, Conclusion, formatted, scopes
from seqlab.reporting.page.answers.architectures import ranked
from seqlab.reporting.page.group_names import named
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.judging import quality
from seqlab.reporting.page.sources import Material
from seqlab.reproduction.reference import remake


def rerun(material: Material) -> Answer:
    """The way in words, and the command for one number of the page: of the user's runs, if there are any."""
    question = "How do I rerun any one number?"
    way = "click it: it leads to the command that made it, with seeds, settings, commit and folder."
    example = ["Run the command as it is, or with one of its seeds."]
    conclusions = [Conclusion("Any figure of a table", way, example)]
    links = [("all commands", "commands")]
    scope = max(scopes(material), key=lambda one: (one.has_yours, len(one.groups) > 1), default=None)
    metric = quality(scope.groups) if scope else None
    if scope is None or metric is None:
        return Answer(question, conclusions, links)
    one = ranked(scope.groups, metric)[0]
    run = next(run for run in one.runs if run["metrics"].get(one.split, {}).get(metric) is not None)
    label = entry_of(metric).label
    figure = formatted(run["metrics"][one.split][metric], label)
    example.append(
        f"For example, this command makes the {figure} {label} of {named(scope.groups)[one.id]}, seed {run['seed']};"
        f" the run's `result.json` then has it as `{one.split}`, `{metric}`.{_whole_claim(material, one)}"
    )
    return Answer(question, conclusions, [("its settings", one.id), *links], command=run["command"])


def _whole_claim(material: Material, one: RunGroup) -> str:
    """How to rerun the whole claim that a reference belongs to; "" for the user's runs."""
    claim = next((claim for claim in material.claims if one.is_of(claim) and not one.is_users), None)
    return f" `{remake(claim)}` reruns all of claim {one.claim} ({claim['title']}) and judges it." if claim else ""
