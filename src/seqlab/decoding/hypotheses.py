"""What every search takes and returns.

B rows, R selected rows, N outputs per row, V vocabulary, L longest output.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Selectable(Protocol):
    """A decoder's state, of which a search knows only that its rows can be selected and reordered."""

    def select(self, rows: Int[Tensor, " R"]) -> Selectable:
        """The state of these rows, in this order."""
        ...


@runtime_checkable
class Step(Protocol):
    """One step of a decoder: from the last tokens and the state to logits and the next state."""

    def __call__(self, tokens: Int[Tensor, " B"], state: Selectable) -> tuple[Float[Tensor, "B V"], Selectable]:
        """Logits of the next token, and the state after `tokens`."""
        ...


class Hypotheses(NamedTuple):
    """The best outputs of each row, best first: tokens without BOS and EOS, PAD on the right.

    `scores` are natural logarithms of the model's probability of the whole output, with its EOS if it ended with one,
    whatever the search ranks by. If a row has fewer than N outputs, the last ones are empty and score −∞.
    """

    tokens: Int[Tensor, "B N L"]
    lengths: Int[Tensor, "B N"]
    scores: Float[Tensor, "B N"]
