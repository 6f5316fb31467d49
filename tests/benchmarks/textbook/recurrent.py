"""What the recurrent ones share: the loop over steps in training, and the loop over words in translating."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.data.batch import Batch
from seqlab.special_tokens import BOS, PAD


class Recurrent(nn.Module):
    """An encoder, and a decoder that is called once a step."""

    target_size: int

    def encode(self, source: Tensor, lengths: Tensor) -> Any:
        """All that the decoder starts from, of sources (S, B)."""
        raise NotImplementedError

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Logits (B, V) after tokens (B,)."""
        raise NotImplementedError

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        """Logits (T, B, V) of all steps, of which the first stays zero."""
        steps, batch = target.shape
        outputs = torch.zeros(steps, batch, self.target_size, device=target.device)
        state = self.encode(source, lengths)
        for t in range(1, steps):
            outputs[t], state = self.step(target[t - 1], state)
        return outputs

    def loss(self, batch: Batch) -> Tensor:
        """The mean cross-entropy a token."""
        target = batch.target.t()
        logits = self(batch.source.t(), batch.source_lengths, target)
        return F.cross_entropy(logits[1:].flatten(0, 1), target[1:].flatten(), ignore_index=PAD)

    @torch.no_grad()
    def translate(self, source: Tensor, length: int) -> list[int]:
        """`length` words for one source (S,)."""
        state = self.encode(source[:, None], torch.tensor([len(source)]))
        words = [BOS]
        while len(words) <= length:
            logits, state = self.step(torch.tensor([words[-1]], device=source.device), state)
            words.append(logits.argmax(1).item())
        return words[1:]
