"""Attention of one query over a memory.

B batch, S memory length, Q query width, M memory width, A attention width.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    """Additive attention (Bahdanau et al. 2015, arXiv 1409.0473, section 3.1 and appendix A.1.2).

    e_j = vᵀ tanh(W q + U m_j);  α = softmax(e) over the positions inside the row;  c = Σ_j α_j m_j

    U m_j does not depend on the query: compute it once a sequence with `keys`.
    """

    def __init__(self, query_width: int, memory_width: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, width, bias=False)
        self.keys = nn.Linear(memory_width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(
        self,
        query: Float[Tensor, "B Q"],
        keys: Float[Tensor, "B S A"],
        memory: Float[Tensor, "B S M"],
        mask: Bool[Tensor, "B S"],
    ) -> tuple[Float[Tensor, "B M"], Float[Tensor, "B S"]]:
        """The context vector c and the weights α; positions where `mask` is False weigh nothing."""
        scores = self.score(torch.tanh(self.query(query)[:, None] + keys)).squeeze(-1)
        weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)
        return torch.bmm(weights[:, None], memory).squeeze(1), weights
