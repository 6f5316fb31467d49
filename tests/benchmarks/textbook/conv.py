"""Gated convolutions on either side, attention in every layer of the decoder."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.data.batch import Batch
from seqlab.special_tokens import PAD


class Side(nn.Module):
    """Tokens and positions to channels, the convolutions, and channels back to vectors."""

    def __init__(
        self, size: int, width: int, embedding: int, layers: int, kernel: int, positions: int, dropout: float
    ) -> None:
        super().__init__()
        self.kernel, self.scale, self.dropout = kernel, math.sqrt(0.5), nn.Dropout(dropout)
        self.tokens, self.positions = nn.Embedding(size, embedding), nn.Embedding(positions, embedding)
        self.inner, self.outer = nn.Linear(embedding, width), nn.Linear(width, embedding)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, 2 * width, kernel) for _ in range(layers))

    def embed(self, tokens: Tensor) -> Tensor:
        """Vectors of tokens and of where they stand (B, T, E)."""
        positions = torch.arange(tokens.size(1), device=tokens.device)[None].repeat(len(tokens), 1)
        return self.dropout(self.tokens(tokens) + self.positions(positions))


class Encoder(Side):
    """Windows around each position."""

    def forward(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the attention, (B, S, E) each."""
        embedded, mask = self.embed(source), (source != PAD)[:, None]
        hidden = self.inner(embedded).permute(0, 2, 1)
        for convolution in self.convolutions:
            padded = F.pad(self.dropout(hidden * mask), (self.kernel // 2, self.kernel // 2))
            hidden = (hidden + F.glu(convolution(padded), dim=1)) * self.scale
        keys = self.outer(hidden.permute(0, 2, 1))
        return keys, (keys + embedded) * self.scale


class Decoder(Side):
    """Windows that end with each position, and attention after each of them."""

    def __init__(
        self, size: int, width: int, embedding: int, layers: int, kernel: int, positions: int, dropout: float
    ) -> None:
        super().__init__(size, width, embedding, layers, kernel, positions, dropout)
        self.queries = nn.ModuleList(nn.Linear(width, embedding) for _ in range(layers))
        self.contexts = nn.ModuleList(nn.Linear(embedding, width) for _ in range(layers))
        self.output = nn.Linear(embedding, size)

    def forward(self, target: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Logits (B, T, V)."""
        embedded = self.embed(target)
        lengths = mask.sum(1)[:, None, None]
        hidden = self.inner(embedded).permute(0, 2, 1)
        for convolution, query, to_channels in zip(self.convolutions, self.queries, self.contexts, strict=True):
            gated = F.glu(convolution(F.pad(self.dropout(hidden), (self.kernel - 1, 0))), dim=1)
            asked = (query(gated.permute(0, 2, 1)) + embedded) * self.scale
            energy = torch.matmul(asked, keys.permute(0, 2, 1)).masked_fill(mask[:, None] == 0, -1e10)
            context = torch.matmul(F.softmax(energy, dim=2), values) * lengths.sqrt()
            attended = (gated + to_channels(context).permute(0, 2, 1)) * self.scale
            hidden = (hidden + attended) * self.scale
        return self.output(self.dropout(self.outer(hidden.permute(0, 2, 1))))


class Conv(nn.Module):
    """Gehring et al. 2017 (arXiv 1705.03122), without weight normalisation."""

    def __init__(
        self,
        source_size: int,
        target_size: int,
        width: int,
        embedding: int,
        layers: int,
        dropout: float,
        kernel: int = 3,
        positions: int = 128,
    ) -> None:
        super().__init__()
        shape = (width, embedding, layers, kernel, positions, dropout)
        self.encoder, self.decoder = Encoder(source_size, *shape), Decoder(target_size, *shape)

    def loss(self, batch: Batch) -> Tensor:
        """The mean cross-entropy a token."""
        logits = self.decoder(batch.target[:, :-1], *self.encoder(batch.source), batch.source != PAD)
        return F.cross_entropy(logits.flatten(0, 1), batch.target[:, 1:].flatten(), ignore_index=PAD)
