"""What the textbook Transformers share: attention with its scores written out, and a feed-forward layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class MultiHeadAttention(nn.Module):
    """Queries, keys and values by a layer each; scores, mask, softmax, average."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D) from queries (B, T, D) and a memory (B, S, D); `mask` tells what is seen."""
        q, k, v = self._split(self.query(query)), self._split(self.key(memory)), self._split(self.value(memory))
        energy = torch.matmul(q, k.permute(0, 1, 3, 2)) / math.sqrt(q.size(-1))
        attention = torch.softmax(energy.masked_fill(mask == 0, -1e10), dim=-1)
        context = torch.matmul(attention, v).permute(0, 2, 1, 3).contiguous()
        return self.output(context.view(*query.shape))

    def _split(self, inputs: Tensor) -> Tensor:
        batch, steps, width = inputs.shape
        return inputs.view(batch, steps, self.heads, width // self.heads).permute(0, 2, 1, 3)


class FeedForward(nn.Module):
    """Two layers and what lies between."""

    def __init__(self, width: int, inner: int, activation: nn.Module) -> None:
        super().__init__()
        self.inner, self.outer, self.activation = nn.Linear(width, inner), nn.Linear(inner, width), activation

    def forward(self, inputs: Tensor) -> Tensor:
        """Position by position."""
        return self.outer(self.activation(self.inner(inputs)))


def earlier(steps: int, device: torch.device) -> Tensor:
    """What each of so many positions sees: itself and those before it."""
    return torch.tril(torch.ones(steps, steps, device=device)).bool()
