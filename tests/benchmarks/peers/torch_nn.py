"""`torch.nn.Transformer`, with the embeddings and the output layer that it leaves to its user."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.textbook.transformer import sinusoids
from seqlab.data.batch import Batch
from seqlab.special_tokens import PAD


class Translator(nn.Module):
    """3 + 3 layers of width 256, norms first, tied: as seqlab's."""

    def __init__(self, source_size: int, target_size: int, width: int = 256, dropout: float = 0.1) -> None:
        super().__init__()
        self.source_embedding = nn.Embedding(source_size, width, padding_idx=PAD)
        self.target_embedding = nn.Embedding(target_size, width, padding_idx=PAD)
        self.register_buffer("positions", sinusoids(512, width), persistent=False)
        self.transformer = nn.Transformer(width, 8, 3, 3, 512, dropout, batch_first=True, norm_first=True)
        self.output = nn.Linear(width, target_size)
        self.output.weight = self.target_embedding.weight
        self.dropout = nn.Dropout(dropout)

    def loss(self, batch: Batch) -> Tensor:
        """The mean cross-entropy a token."""
        source, told = batch.source, batch.target[:, :-1]
        outputs = self.transformer(
            self._embed(self.source_embedding, source),
            self._embed(self.target_embedding, told),
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(told.size(1), told.device, torch.bool),
            tgt_is_causal=True,
            src_key_padding_mask=source == PAD,
            memory_key_padding_mask=source == PAD,
        )
        logits = self.output(outputs)
        return F.cross_entropy(logits.flatten(0, 1), batch.target[:, 1:].flatten(), ignore_index=PAD)

    def _embed(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        return self.dropout(table(tokens) * math.sqrt(table.embedding_dim) + self.positions[: tokens.size(1)])
