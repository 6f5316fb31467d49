"""Additive attention before each step, over an encoder in both directions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.textbook.recurrent import Recurrent
from seqlab.special_tokens import PAD


class AdditiveAttention(nn.Module):
    """Scores [query; memory] of every source position by a layer of its own, at every step."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width + 2 * width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """The weights (B, S) of a memory (S, B, 2 D)."""
        repeated = query[:, None].repeat(1, len(memory), 1)
        energy = torch.tanh(self.layer(torch.cat([repeated, memory.permute(1, 0, 2)], dim=2)))
        return F.softmax(self.score(energy).squeeze(2).masked_fill(mask == 0, -1e10), dim=1)


class Bahdanau(Recurrent):
    """Bahdanau et al. 2015 (arXiv 1409.0473), with the paper's maxout before the output layer."""

    def __init__(
        self, source_size: int, target_size: int, width: int, embedding: int, dropout: float, cell: str = "gru"
    ) -> None:
        super().__init__()
        self.target_size = target_size
        kind = nn.GRU if cell == "gru" else nn.LSTM
        self.source_embedding = nn.Embedding(source_size, embedding, padding_idx=PAD)
        self.target_embedding = nn.Embedding(target_size, embedding, padding_idx=PAD)
        self.encoder = kind(embedding, width, bidirectional=True)
        self.bridges = nn.ModuleList(nn.Linear(width, width) for _ in range(1 if cell == "gru" else 2))
        self.attention = AdditiveAttention(width)
        self.decoder = kind(embedding + 2 * width, width)
        self.deep = nn.Linear(width + embedding + 2 * width, 2 * width)
        self.output = nn.Linear(width, target_size)
        self.dropout = nn.Dropout(dropout)

    def encode(self, source: Tensor, lengths: Tensor) -> Any:
        """The decoder's first state, the memory and where it is real."""
        embedded = self.dropout(self.source_embedding(source))
        packed, last = self.encoder(pack_padded_sequence(embedded, lengths.cpu(), enforce_sorted=False))
        memory, _ = pad_packed_sequence(packed)
        last = last if isinstance(last, tuple) else (last,)
        first = tuple(torch.tanh(layer(h[-1]))[None] for layer, h in zip(self.bridges, last, strict=True))
        return first, memory, (source != PAD).t()

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Attends with the last state, steps, says."""
        hidden, memory, mask = state
        embedded = self.dropout(self.target_embedding(tokens[None]))
        weights = self.attention(hidden[0][-1], memory, mask)[:, None]
        context = torch.bmm(weights, memory.permute(1, 0, 2)).permute(1, 0, 2)
        inputs = torch.cat([embedded, context], dim=2)
        output, hidden = self.decoder(inputs, hidden if len(hidden) == 2 else hidden[0])
        deep = self.deep(torch.cat([output[0], embedded[0], context[0]], dim=1))
        logits = self.output(self.dropout(deep.view(len(deep), -1, 2).max(dim=2).values))
        return logits, (hidden if isinstance(hidden, tuple) else (hidden,), memory, mask)
