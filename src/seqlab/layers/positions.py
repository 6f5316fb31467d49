"""Where a token stands: learned and sinusoidal vectors, and rotation of queries and keys.

B batch, T positions, D width, H heads, K head width.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqlab.checks import check_sizes
from seqlab.errors import InputError
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
        """The vectors of `positions`.

        Raises:
            InputError: a position past the last that there is a vector for.
        """
        longest = self.table.num_embeddings
        # Of a whole batch the last column is the furthest: looking there waits for a device once, not for all.
        if positions.numel() and (needed := int(positions[..., -1].max()) + 1) > longest:
            raise InputError(f"a sequence of {needed} positions, but model.max_positions is {longest}")
        return self.table(positions)


class SinusoidalPositions(nn.Module):
    """Sines and cosines of wavelengths from 2π to 10000 · 2π (Vaswani et al. 2017, arXiv 1706.03762, section 3.5).

    PE(p, 2i) = sin(p / 10000^(2i/D));  PE(p, 2i+1) = cos(p / 10000^(2i/D))
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, positions: Int[Tensor, "*B T"]) -> Float[Tensor, "*B T D"]:
        """The vectors of `positions`; there is no last one."""
        angles = _angles(positions, self.width)
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)[..., : self.width]


class NoPositions(nn.Module):
    """Nothing is added to the tokens: rotary positions act inside the attention."""

    def forward(self, positions: Int[Tensor, "*B T"]) -> Float[Tensor, " 1"]:
        """Zero."""
        return torch.zeros(1, device=positions.device)


def added_positions(scheme: str, longest: int, width: int) -> nn.Module:
    """What a scheme adds to the tokens' vectors.

    Raises:
        ValueError: an unknown scheme, or `longest` below 1.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"positions must be one of {', '.join(SCHEMES)}, but is {scheme!r}")
    if scheme == "learned":
        return LearnedPositions(longest, width)
    return SinusoidalPositions(width) if scheme == "sinusoidal" else NoPositions()


class PositionedEmbedding(nn.Module):
    """√D times the embedding of a token, plus what says where it stands (Vaswani et al. 2017, sections 3.4 and 3.5)."""

    def __init__(self, tokens: Embedding, positions: nn.Module, dropout: float) -> None:
        super().__init__()
        self.tokens, self.positions, self.dropout = tokens, positions, nn.Dropout(dropout)
        self.scale = tokens.width**0.5

    def forward(self, tokens: Int[Tensor, "B T"], positions: Int[Tensor, "*B T"]) -> Float[Tensor, "B T D"]:
        """The vectors that the first block reads."""
        return self.dropout(self.tokens(tokens) * self.scale + self.positions(positions))


def rotated(heads: Float[Tensor, "B H T K"], positions: Int[Tensor, "*B T"]) -> Float[Tensor, "B H T K"]:
    """Rotary positions (Su et al. 2021, arXiv 2104.09864, section 3.4): a query times a key then depends on their
    distance alone.

    The pair (x_i, x_{i + K/2}) is turned by the angle p / 10000^(2i/K). `positions` are those of all rows (T,) or of
    each (B, T); K must be even.
    """
    angles = _angles(positions, heads.size(-1)).unsqueeze(-3).to(heads.dtype)  # (1 T K/2) or (B 1 T K/2)
    cosine, sine = angles.cos(), angles.sin()
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def _angles(positions: Tensor, width: int) -> Tensor:
    """p / 10000^(2i/D) for i = 0 … ⌈D/2⌉ − 1, in the precision of the default floating type."""
    exponents = torch.arange(0, width, 2, device=positions.device) / width
    return positions[..., None] * 10000.0 ** -exponents.to(torch.get_default_dtype())
