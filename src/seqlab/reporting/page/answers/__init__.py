"""The top of the page: questions, each answered in sentences made from the figures."""

from __future__ import annotations

from dataclasses import replace

from seqlab.reporting.page.answers.answer import Answer
from seqlab.reporting.page.answers.architectures import best, fastest
from seqlab.reporting.page.answers.carried_context import carried_context
from seqlab.reporting.page.answers.cost import cost
from seqlab.reporting.page.answers.early_stopping import saved_by_pruning
from seqlab.reporting.page.answers.long_sources import fixed_vector
from seqlab.reporting.page.answers.mixers import mixers
from seqlab.reporting.page.answers.notes import familiar_text
from seqlab.reporting.page.answers.rerunning import rerun
from seqlab.reporting.page.answers.scaled_up import scaled_up
from seqlab.reporting.page.answers.single_runs import single_runs
from seqlab.reporting.page.sources import Material

QUESTIONS = (
    *(best, cost, fastest, carried_context, fixed_vector, mixers),
    *(familiar_text, scaled_up, saved_by_pruning, rerun),
)
"""What answers each question, in reading order."""


def answers(material: Material) -> list[Answer]:
    """All answers, in reading order; the first only where a setting of the user's is alone on its dataset."""
    alone = single_runs(material)
    return list(map(_each_once, [*([alone] if alone.conclusions else []), *(one(material) for one in QUESTIONS)]))


def _each_once(answer: Answer) -> Answer:
    """The answer without evidence that an earlier one of its conclusions has: it holds for this one, too."""
    stated: set[str] = set()
    conclusions = []
    for one in answer.conclusions:
        evidence = [text for text in one.evidence if text not in stated]
        stated.update(evidence)
        conclusions.append(replace(one, evidence=evidence))
    return replace(answer, conclusions=conclusions)
