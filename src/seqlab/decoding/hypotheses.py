"""What every search takes and gives.

B rows, V vocabulary, L longest output.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Selectable(Protocol):
    """A decoder's state, of which a search knows only that its rows can be chosen and reordered."""

    def select(self, rows: Int[Tensor, " R"]) -> Selectable:
        """The state of these rows, in this order."""
        ...


@runtime_checkable
class Step(Protocol):
    """One step of a decoder: the tokens chosen last, and the state, give logits and the next state."""

    def __call__(self, tokens: Int[Tensor, " B"], state: Selectable) -> tuple[Float[Tensor, "B V"], Selectable]:
        """Logits of the next token, and the state after `tokens`."""
        ...


class Hypotheses(NamedTuple):
    """The best output of each row: tokens without BOS and EOS, PAD on the right.

    `scores` are natural logarithms of the probability of the whole output, its EOS included (if it said one).
    """

    tokens: Int[Tensor, "B L"]
    lengths: Int[Tensor, " B"]
    scores: Float[Tensor, " B"]


@runtime_checkable
class Search(Protocol):
    """A way to find good outputs, ready to be called on a batch."""

    def __call__(self, step: Step, state: Selectable, start: Int[Tensor, " B"]) -> Hypotheses:
        """Searches from the tokens `start` (BOS in every row) and the encoder's state."""
        ...
