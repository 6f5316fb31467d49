"""Greedy search: the most probable token at every step.

B rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from seqlab.decoding.hypotheses import Hypotheses, Selectable, Step
from seqlab.decoding.search import Search


@dataclass(frozen=True, kw_only=True)
class Greedy(Search):
    """Takes the most probable token until each row says EOS or has `max_length` tokens; one output a row.

    Of equally probable tokens it takes the one with the lowest id.
    """

    def __call__(self, step: Step, state: Selectable, start: Int[Tensor, " B"]) -> Hypotheses:
        found = self.follow(step, state, start, lambda log_probabilities, *_: log_probabilities.argmax(dim=1))
        return Hypotheses(*(value[:, None] for value in found))
