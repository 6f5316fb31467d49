"""Two LSTM layers a side, the last state between them, the source read backwards."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from benchmarks.textbook.recurrent import Recurrent
from seqlab.special_tokens import PAD


class Seq2SeqLSTM(Recurrent):
    """The first encoder–decoder of every tutorial. (Reads the padding, as they do.)"""

    def __init__(
        self, source_size: int, target_size: int, width: int, embedding: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.target_size = target_size
        self.source_embedding = nn.Embedding(source_size, embedding, padding_idx=PAD)
        self.target_embedding = nn.Embedding(target_size, embedding, padding_idx=PAD)
        self.encoder = nn.LSTM(embedding, width, layers, dropout=dropout)
        self.decoder = nn.LSTM(embedding, width, layers, dropout=dropout)
        self.output = nn.Linear(width, target_size)
        self.dropout = nn.Dropout(dropout)

    def encode(self, source: Tensor, lengths: Tensor) -> Any:
        """The encoder's last h and c."""
        _, state = self.encoder(self.dropout(self.source_embedding(source.flip(0))))
        return state

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One step of both layers."""
        embedded = self.dropout(self.target_embedding(tokens[None]))
        outputs, state = self.decoder(embedded, state)
        return self.output(self.dropout(outputs[0])), state
