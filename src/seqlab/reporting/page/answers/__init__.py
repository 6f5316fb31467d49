"""The page's first lines: what a reader wants to know, answered in sentences made from the figures."""

from __future__ import annotations

from seqlab.reporting.page.answers.answer import Answer
from seqlab.reporting.page.answers.architectures import best, fastest
from seqlab.reporting.page.answers.carried_context import carried
from seqlab.reporting.page.answers.early_stopping import swept
from seqlab.reporting.page.answers.long_sources import fixed_vector
from seqlab.reporting.page.answers.notes import familiar
from seqlab.reporting.page.answers.rerunning import rerun
from seqlab.reporting.page.sources import Material


def answers(material: Material) -> list[Answer]:
    """All of them, in reading order."""
    asked = (best, fastest, carried, fixed_vector, familiar, swept, rerun)
    return [ask(material) for ask in asked]
