"""A GRU on either side; the encoder's last state goes into every step and every output of the decoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.textbook.recurrent import Recurrent
from seqlab.special_tokens import PAD


class ContextGRU(Recurrent):
    """Cho et al. 2014 (arXiv 1406.1078), as tutorials simplify it."""

    def __init__(self, source_size: int, target_size: int, width: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.target_size = target_size
        self.source_embedding = nn.Embedding(source_size, embedding, padding_idx=PAD)
        self.target_embedding = nn.Embedding(target_size, embedding, padding_idx=PAD)
        self.encoder = nn.GRU(embedding, width)
        self.decoder = nn.GRU(embedding + width, width)
        self.output = nn.Linear(embedding + 2 * width, target_size)
        self.dropout = nn.Dropout(dropout)

    def encode(self, source: Tensor, lengths: Tensor) -> Any:
        """The state to start from and the context, which are the same."""
        _, hidden = self.encoder(self.dropout(self.source_embedding(source)))
        return hidden, hidden

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Embedding and context in; state, embedding and context out."""
        hidden, context = state
        embedded = self.dropout(self.target_embedding(tokens[None]))
        _, hidden = self.decoder(torch.cat([embedded, context], dim=2), hidden)
        logits = self.output(self.dropout(torch.cat([embedded[0], hidden[0], context[0]], dim=1)))
        return logits, (hidden, context)
