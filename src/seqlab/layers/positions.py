"""Position encodings: learned and sinusoidal vectors, and rotation of queries and keys.

B batch, T positions, D width, H heads, K head width.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqlab.checks import check_sizes
from seqlab.layers.embedding import Embedding

SCHEMES = ("learned", "sinusoidal", "rotary")


class LearnedPositions(nn.Module):
    """A learnt vector for each of `longest` positions (Gehring et al. 2017, arXiv 1705.03122, section 3.1)."""

    def __init__(self, longest: int, width: int) -> None:
        super().__init__()
        check_sizes(max_positions=longest)
        self.table = nn.Embedding(longest, width)
        nn.init.normal_(self.table.weight, std=0.02)

    def forward(self, positions: Int[Tensor, "*B T"]) -> Float[Tensor, "*B T D"]:
        """The vectors of `positions`, all of which must be below `longest` (`Seq2Seq.check_lengths` checks it)."""
        return self.table(positions)


class SinusoidalPositions(nn.Module):
    """Sines and cosines with wavelengths from 2π to 10000 · 2π (Vaswani et al. 2017, arXiv 1706.03762, section 3.5).

    PE(p, 2i) = sin(p / 10000^(2i/D));  PE(p, 2i+1) = cos(p / 10000^(2i/D))
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, positions: Int[Tensor, "*B T"]) -> Float[Tensor, "*B T D"]:
        """The vectors of `positions`, which may be arbitrarily large."""
        angles = _angles(positions, self.width)
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)[..., : self.width]


def added_positions(scheme: str, longest: int, width: int) -> nn.Module | None:
    """The module whose vectors a scheme adds to the tokens' vectors; None for "rotary", which acts in the attention.

    Raises:
        ValueError: an unknown scheme, or `longest` below 1.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"positions must be one of {', '.join(SCHEMES)}, but is {scheme!r}")
    if scheme == "learned":
        return LearnedPositions(longest, width)
    return SinusoidalPositions(width) if scheme == "sinusoidal" else None


class PositionedEmbedding(nn.Module):
    """The embedding of a token, times `scale`, plus the vector of its position; then dropout."""

    def __init__(self, tokens: Embedding, positions: nn.Module | None, dropout: float, scale: float = 1.0) -> None:
        super().__init__()
        self.tokens, self.positions, self.dropout, self.scale = tokens, positions, nn.Dropout(dropout), scale

    def forward(self, tokens: Int[Tensor, "B T"], positions: Int[Tensor, "*B T"]) -> Float[Tensor, "B T D"]:
        """The vectors that the first layer reads."""
        vectors = self.tokens(tokens)
        if self.scale != 1:
            vectors = vectors * self.scale
        if self.positions is not None:
            vectors = vectors + self.positions(positions).to(vectors.dtype)
        return self.dropout(vectors) if self.training else vectors


def rotated(heads: Float[Tensor, "B H T K"], positions: Int[Tensor, "*B T"]) -> Float[Tensor, "B H T K"]:
    """Rotary positions (Su et al. 2021, arXiv 2104.09864, section 3.4): the product of a rotated query and a rotated
    key depends on their positions only by the distance.

    The pair (x_i, x_{i + K/2}) is rotated by the angle p / 10000^(2i/K). `positions` are the same for all rows (T,) or
    given for each row (B, T); K must be even.
    """
    angles = _angles(positions, heads.size(-1)).unsqueeze(-3)  # (1 T K/2) or (B 1 T K/2)
    # Only sines and cosines are rounded to bf16: angles themselves would become too inexact.
    cosine, sine = angles.cos().to(heads.dtype), angles.sin().to(heads.dtype)
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def _angles(positions: Tensor, width: int) -> Tensor:
    """p / 10000^(2i/D) for i = 0 … ⌈D/2⌉ − 1, at least in single precision, because large angles need many digits."""
    precision = torch.promote_types(torch.get_default_dtype(), torch.float32)
    exponents = torch.arange(0, width, 2, device=positions.device, dtype=precision) / width
    return positions[..., None] * 10000.0**-exponents
