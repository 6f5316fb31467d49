"""How any one number is made again."""

from __future__ import annotations

from seqlab.reporting.claims.reference import remake
from seqlab.reporting.page.answers.answer import Answer, in_form, translation
from seqlab.reporting.page.answers.architectures import ranked
from seqlab.reporting.page.groups import NAMES, Group, quality
from seqlab.reporting.page.sources import Material


def rerun(material: Material) -> Answer:
    """In words, and for the first number of the page in a command."""
    question = "How do I rerun any one number?"
    sentences = [
        "Click it: a figure of a table leads to the line that made it, with seeds, settings, commit and folder."
        " Each line runs as it stands, or with one seed of several."
    ]
    links = [("all commands", "commands")]
    groups = translation(material) or material.groups
    metric = quality(groups)
    if not groups or metric is None:
        return Answer(question, sentences, links)
    one = ranked(groups, metric)[0]
    run = one.runs[0]
    figure = in_form(run["metrics"][one.split][metric], NAMES[metric])
    sentences.append(
        f"The {figure} {NAMES[metric]} of {one.label or one.architecture}, seed {run['seed']}, for one; it then stands"
        f" in the run's result.json as {one.split}, {metric}.{_whole(material, one)}"
    )
    return Answer(question, sentences, [("its settings", one.id), *links], command=run["command"])


def _whole(material: Material, one: Group) -> str:
    """The claim it is part of."""
    claim = next((claim for claim in material.claims if one.is_of(claim)), None)
    return f" {remake(claim)} reruns all of claim {one.claim} and judges it." if claim else ""
