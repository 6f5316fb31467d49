"""From token ids to vectors, and from vectors to logits.

B batch, T steps, V vocabulary, D width.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.special_tokens import PAD


class OneHot(nn.Module):
    """Each token as a one-hot vector.

    The first matrix product of the network after it then selects one column per token: the same function as an
    embedding of that layer's width. Dropout drops whole tokens.
    """

    def __init__(self, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.width = size
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """The one-hot vectors of `tokens`."""
        return self.dropout(F.one_hot(tokens, self.width).to(torch.get_default_dtype()))


class Embedding(nn.Module):
    """A learnt vector for each token, with dropout; PAD's is zero and stays zero (unless an output layer shares it)."""

    def __init__(self, size: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.width = width
        self.table = nn.Embedding(size, width, padding_idx=PAD)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """The vectors of `tokens`."""
        vectors = self.table(tokens)
        return self.dropout(vectors) if self.training else vectors

    def initialise(self, deviation: float) -> None:
        """Draws the table again: normal with this standard deviation; PAD's row is zero."""
        nn.init.normal_(self.table.weight, std=deviation)
        with torch.no_grad():
            self.table.weight[PAD].zero_()


def embeddings(source_size: int, target_size: int, width: int, shared: bool) -> tuple[Embedding, Embedding]:
    """An embedding for each side, or one for both.

    Raises:
        ValueError: `shared`, but the vocabularies differ in size.
    """
    if not shared:
        return Embedding(source_size, width), Embedding(target_size, width)
    if source_size != target_size:
        raise ValueError(
            f"shared needs one vocabulary (data.shared_vocabulary=true), but sizes are {source_size} and {target_size}"
        )
    return (both := Embedding(target_size, width)), both


def token_input(size: int, width: int | None, dropout: float = 0.0) -> OneHot | Embedding:
    """An embedding of `width`, or one-hot vectors if `width` is None."""
    return OneHot(size, dropout) if width is None else Embedding(size, width, dropout)


def output_layer(width: int, size: int, tied_to: OneHot | Embedding | None = None) -> nn.Linear:
    """W h + b, the logits of `size` tokens from vectors of `width`.

    With `tied_to`, W is the table of that embedding (Press & Wolf 2017, arXiv 1608.05859), drawn again: normal with
    standard deviation 1/√width, so that logits and inputs both start small. PAD's row then starts at zero, but is
    trained, as the output weights of a token that is never a label.

    Raises:
        ValueError: `tied_to` has no table (one-hot), or its width differs.
    """
    layer = nn.Linear(width, size)
    if tied_to is None:
        return layer
    if isinstance(tied_to, OneHot):
        raise ValueError("tied needs a target embedding, but the inputs are one-hot (embedding is null)")
    if tied_to.width != width:
        raise ValueError(
            f"tied needs an embedding as wide as the output layer's input ({width}), but embedding is {tied_to.width}"
        )
    tied_to.initialise(width**-0.5)
    layer.weight = tied_to.table.weight
    return layer
