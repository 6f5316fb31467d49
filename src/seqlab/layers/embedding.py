"""Token ids to vectors.

B batch, T steps, V vocabulary, D width.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.symbols import PAD


class OneHot(nn.Module):
    """Each token as the unit vector of its id.

    The first product of the network after it is then a lookup of one column a token: the same function as an
    embedding of that layer's width, which is how the frameworks that ask for one-hot inputs compute it too. Dropout
    leaves out whole tokens.
    """

    def __init__(self, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.width = size
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """The unit vectors of `tokens`."""
        return self.dropout(F.one_hot(tokens, self.width).to(torch.get_default_dtype()))


class Embedding(nn.Module):
    """A learnt vector for each token, with dropout; PAD's is zero and stays so."""

    def __init__(self, size: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.width = width
        self.table = nn.Embedding(size, width, padding_idx=PAD)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """The vectors of `tokens`."""
        return self.dropout(self.table(tokens))


def token_input(size: int, width: int | None, dropout: float = 0.0) -> OneHot | Embedding:
    """An embedding of `width`, or one-hot vectors if there is none."""
    return OneHot(size, dropout) if width is None else Embedding(size, width, dropout)
