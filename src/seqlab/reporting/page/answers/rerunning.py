"""How any one number is made again."""

from __future__ import annotations

from seqlab.reporting.page.answers.answer import Answer, in_form, scopes
from seqlab.reporting.page.answers.architectures import ranked
from seqlab.reporting.page.groups import RunGroup, label, named, quality
from seqlab.reporting.page.sources import Material
from seqlab.reproduction.reference import remake


def rerun(material: Material) -> Answer:
    """In words, and for one number of the page in a command: of the user's runs, if there are any."""
    question = "How do I rerun any one number?"
    sentences = [
        "Click it: a figure of a table leads to the line that made it, with seeds, settings, commit and folder."
        " Each line runs as it stands, or with one seed of several."
    ]
    links = [("all commands", "commands")]
    scope = max(scopes(material), key=lambda one: (one.own, len(one.groups) > 1), default=None)
    metric = quality(scope.groups) if scope else None
    if scope is None or metric is None:
        return Answer(question, sentences, links)
    one = ranked(scope.groups, metric)[0]
    run = next(run for run in one.runs if run["metrics"].get(one.split, {}).get(metric) is not None)
    figure = in_form(run["metrics"][one.split][metric], label(metric))
    sentences.append(
        f"The {figure} {label(metric)} of {named(scope.groups)[one.id]}, seed {run['seed']}, for one; it then stands"
        f" in the run's result.json as {one.split}, {metric}.{_whole(material, one)}"
    )
    return Answer(question, sentences, [("its settings", one.id), *links], command=run["command"])


def _whole(material: Material, one: RunGroup) -> str:
    """The claim it is part of."""
    claim = next((claim for claim in material.claims if one.is_of(claim) and not one.own), None)
    return f" {remake(claim)} reruns all of claim {one.claim} and judges it." if claim else ""
