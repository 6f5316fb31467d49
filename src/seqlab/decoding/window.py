"""Generates text longer than a decoder has positions: when they are used up, its last part is decoded again.

B rows, T tokens in the window, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqlab.decoding.hypotheses import Selectable

Decode = Callable[[Tensor, Selectable], tuple[Tensor, Selectable]]
"""A decoder: tokens (B, T) and the state before them give logits (B, T, V) and the state after them."""


@dataclass(frozen=True)
class Seen:
    """The state of a `Window`: the tokens in it, and the decoder's states before the first and after the last."""

    tokens: Int[Tensor, "B T"]
    before: Selectable
    after: Selectable

    def select(self, rows: Int[Tensor, " R"]) -> Seen:
        """The same for these rows, in this order."""
        return Seen(self.tokens[rows], self.before.select(rows), self.after.select(rows))


def tokens_held(count: int, size: int) -> int:
    """How many tokens a `Window` holds after `count`, of which all but the first `size` are read one by one."""
    beyond, stays = count - size, _staying(size)
    return count if beyond <= 0 else stays + (beyond - 1) % (size - stays + 1)


def _staying(size: int) -> int:
    """How many tokens a `Window` holds after it has moved."""
    return max(1, size // 2)


@dataclass(frozen=True)
class Window:
    """A step function for any search, with a decoder that must not read more than `size` tokens.

    Cached keys and values belong to fixed positions, so a full window cannot move by one token: what stays in it has to
    be decoded again at new positions. Half of the window stays, so that this happens once per half window. Each token
    is decoded at most twice, and no token is predicted from less than half a window.
    """

    decode: Decode
    size: int

    def begin(self, tokens: Int[Tensor, "B T"], state: Selectable) -> Seen:
        """The state after these tokens (fewer than `size`), from a state that has read none."""
        after = self.decode(tokens, state)[1] if tokens.size(1) else state
        return Seen(tokens, state, after)

    def __call__(self, tokens: Int[Tensor, " B"], state: Selectable) -> tuple[Float[Tensor, "B V"], Seen]:
        assert isinstance(state, Seen)
        seen = torch.cat([state.tokens, tokens[:, None]], dim=1)
        if seen.size(1) > self.size:
            seen = seen[:, -_staying(self.size) :]
            logits, after = self.decode(seen, state.before)
        else:
            logits, after = self.decode(tokens[:, None], state.after)
        return logits[:, -1], Seen(seen, state.before, after)
