"""Greedy search: the most probable token at every step.

B rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from seqlab.decoding.hypotheses import Hypotheses, Selectable, Step
from seqlab.decoding.search import Choose, Stepwise


@dataclass(frozen=True, kw_only=True)
class Greedy(Stepwise):
    """Takes the most probable token at every step, until EOS or `max_length` tokens; one output per row.

    Of equally probable tokens it takes the one with the lowest id.
    """

    def chooser(self, start: Int[Tensor, " B"]) -> Choose:
        """Chooses the most probable token, whatever the row and the position."""
        return lambda log_probabilities, *_: log_probabilities.argmax(dim=1)

    def __call__(self, step: Step, state: Selectable, start: Int[Tensor, " B"]) -> Hypotheses:
        return Hypotheses(*(value[:, None] for value in self.follow(step, state, start)))
