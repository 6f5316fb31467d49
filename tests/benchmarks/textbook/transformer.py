"""The Transformer of 3 + 3 layers that tutorials train on Multi30k, norms first."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.textbook.attention import FeedForward, MultiHeadAttention, earlier
from seqlab.data.batch import Batch
from seqlab.special_tokens import PAD


def sinusoids(longest: int, width: int) -> Tensor:
    """Positions as sines and cosines (longest, D)."""
    positions = torch.arange(longest)[:, None]
    angles = positions * torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    table = torch.zeros(longest, width)
    table[:, 0::2], table[:, 1::2] = torch.sin(angles), torch.cos(angles)
    return table


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.feed_forward = MultiHeadAttention(width, heads), FeedForward(width, inner, nn.ReLU())
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """(B, S, D) to the same."""
        normed = self.attention_norm(inputs)
        inputs = inputs + self.dropout(self.attention(normed, normed, mask))
        return inputs + self.dropout(self.feed_forward(self.feed_forward_norm(inputs)))


class DecoderLayer(EncoderLayer):
    """The same with attention to the encoder between."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__(width, heads, inner, dropout)
        self.memory_attention, self.memory_norm = MultiHeadAttention(width, heads), nn.LayerNorm(width)

    def forward(  # type: ignore[override]
        self, inputs: Tensor, mask: Tensor, memory: Tensor, memory_mask: Tensor
    ) -> Tensor:
        """(B, T, D) to the same."""
        normed = self.attention_norm(inputs)
        inputs = inputs + self.dropout(self.attention(normed, normed, mask))
        inputs = inputs + self.dropout(self.memory_attention(self.memory_norm(inputs), memory, memory_mask))
        return inputs + self.dropout(self.feed_forward(self.feed_forward_norm(inputs)))


class Transformer(nn.Module):
    """Vaswani et al. 2017 (arXiv 1706.03762), one table for target tokens and the output layer."""

    def __init__(
        self,
        source_size: int,
        target_size: int,
        width: int = 256,
        heads: int = 8,
        layers: int = 3,
        inner: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.source_embedding = nn.Embedding(source_size, width, padding_idx=PAD)
        self.target_embedding = nn.Embedding(target_size, width, padding_idx=PAD)
        self.register_buffer("positions", sinusoids(512, width), persistent=False)
        self.encoder = nn.ModuleList(EncoderLayer(width, heads, inner, dropout) for _ in range(layers))
        self.decoder = nn.ModuleList(DecoderLayer(width, heads, inner, dropout) for _ in range(layers))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.output = nn.Linear(width, target_size)
        self.output.weight = self.target_embedding.weight
        self.dropout = nn.Dropout(dropout)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits (B, T, V)."""
        source_mask = (source != PAD)[:, None, None]
        memory = self._embed(self.source_embedding, source)
        for layer in self.encoder:
            memory = layer(memory, source_mask)
        memory = self.encoder_norm(memory)
        target_mask = (target != PAD)[:, None, None] & earlier(target.size(1), target.device)
        outputs = self._embed(self.target_embedding, target)
        for layer in self.decoder:
            outputs = layer(outputs, target_mask, memory, source_mask)
        return self.output(self.decoder_norm(outputs))

    def _embed(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        return self.dropout(table(tokens) * math.sqrt(table.embedding_dim) + self.positions[: tokens.size(1)])

    def loss(self, batch: Batch) -> Tensor:
        """The mean cross-entropy a token."""
        logits = self(batch.source, batch.target[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), batch.target[:, 1:].flatten(), ignore_index=PAD)
