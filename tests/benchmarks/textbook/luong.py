"""General attention after each step, its result fed to the next."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.textbook.recurrent import Recurrent
from seqlab.special_tokens import PAD


class Luong(Recurrent):
    """Luong et al. 2015 (arXiv 1508.04025), one LSTM layer a side."""

    def __init__(self, source_size: int, target_size: int, width: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.target_size = target_size
        self.source_embedding = nn.Embedding(source_size, embedding, padding_idx=PAD)
        self.target_embedding = nn.Embedding(target_size, embedding, padding_idx=PAD)
        self.encoder = nn.LSTM(embedding, width)
        self.decoder = nn.LSTM(embedding + width, width)
        self.score = nn.Linear(width, width, bias=False)
        self.combine = nn.Linear(2 * width, width, bias=False)
        self.output = nn.Linear(width, target_size)
        self.dropout = nn.Dropout(dropout)

    def encode(self, source: Tensor, lengths: Tensor) -> Any:
        """The decoder's first state, a first attentional state of zeros, the memory and where it is real."""
        embedded = self.dropout(self.source_embedding(source))
        packed, hidden = self.encoder(pack_padded_sequence(embedded, lengths.cpu(), enforce_sorted=False))
        memory, _ = pad_packed_sequence(packed)
        return hidden, torch.zeros_like(memory[0]), memory.permute(1, 0, 2), (source != PAD).t()

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Steps, attends with the new state, combines, says."""
        hidden, attentional, memory, mask = state
        embedded = self.dropout(self.target_embedding(tokens))
        output, hidden = self.decoder(torch.cat([embedded, attentional], dim=1)[None], hidden)
        scores = torch.bmm(self.score(memory), output[0][:, :, None]).squeeze(2)
        weights = F.softmax(scores.masked_fill(mask == 0, -1e10), dim=1)
        context = torch.bmm(weights[:, None], memory).squeeze(1)
        attentional = torch.tanh(self.combine(torch.cat([context, output[0]], dim=1)))
        return self.output(self.dropout(attentional)), (hidden, attentional, memory, mask)
