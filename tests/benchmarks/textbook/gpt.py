"""A small GPT with its attention written out, and sampling that reads the whole block anew for every token."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.textbook.attention import FeedForward, MultiHeadAttention, earlier
from seqlab.data.batch import Batch


class Block(nn.Module):
    """Attention to earlier tokens, feed-forward, norms first."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.feed_forward = MultiHeadAttention(width, heads), FeedForward(width, 4 * width, nn.GELU())
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D) to the same."""
        normed = self.attention_norm(inputs)
        inputs = inputs + self.dropout(self.attention(normed, normed, mask))
        return inputs + self.dropout(self.feed_forward(self.feed_forward_norm(inputs)))


class GPT(nn.Module):
    """Radford et al. 2019 in small, tied."""

    def __init__(self, size: int, width: int, heads: int, layers: int, block: int, dropout: float) -> None:
        super().__init__()
        self.block = block
        self.tokens, self.positions = nn.Embedding(size, width), nn.Embedding(block, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm, self.output = nn.LayerNorm(width), nn.Linear(width, size)
        self.output.weight = self.tokens.weight
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B, T, V)."""
        steps = tokens.size(1)
        hidden = self.dropout(self.tokens(tokens) + self.positions(torch.arange(steps, device=tokens.device)))
        mask = earlier(steps, tokens.device)
        for block in self.blocks:
            hidden = block(hidden, mask)
        return self.output(self.norm(hidden))

    def loss(self, batch: Batch) -> Tensor:
        """The mean cross-entropy a token."""
        return F.cross_entropy(self(batch.target[:, :-1]).flatten(0, 1), batch.target[:, 1:].flatten())

    @torch.no_grad()
    def continued(self, tokens: Tensor, count: int) -> Tensor:
        """`tokens` (B, T) and so many more, drawn one by one."""
        for _ in range(count):
            logits = self(tokens[:, -self.block :])[:, -1]
            drawn = torch.multinomial(F.softmax(logits, dim=-1), num_samples=1)
            tokens = torch.cat([tokens, drawn], dim=1)
        return tokens
