"""Attention of a query over a memory, and how to look at it.

B batch, S memory length, Q query width, M memory width, A attention width.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Attention(nn.Module):
    """Base of everything that attends: called with (query, keys, values, mask), it returns the context.

    `weights` gives, from the same query, keys and mask, the distribution by which the values are averaged. Only
    `captured_attention` asks for it where the context can be had without.
    """

    @abstractmethod
    def weights(self, query: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """(…, S), each row a distribution over the memory; positions where `mask` is False weigh nothing."""


class AdditiveAttention(Attention):
    """Additive attention (Bahdanau et al. 2015, arXiv 1409.0473, section 3.1 and appendix A.1.2).

    e_j = vᵀ tanh(W q + U m_j);  α = softmax(e) over the positions inside the row;  c = Σ_j α_j m_j

    U m_j does not depend on the query: compute it once a sequence with `keys`.
    """

    def __init__(self, query_width: int, memory_width: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, width, bias=False)
        self.keys = nn.Linear(memory_width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def weights(
        self, query: Float[Tensor, "B Q"], keys: Float[Tensor, "B S A"], mask: Bool[Tensor, "B S"]
    ) -> Float[Tensor, "B S"]:
        """The weights α."""
        scores = self.score(torch.tanh(self.query(query)[:, None] + keys)).squeeze(-1)
        return scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)

    def forward(
        self,
        query: Float[Tensor, "B Q"],
        keys: Float[Tensor, "B S A"],
        memory: Float[Tensor, "B S M"],
        mask: Bool[Tensor, "B S"],
    ) -> Float[Tensor, "B M"]:
        """The context vector c."""
        return torch.bmm(self.weights(query, keys, mask)[:, None], memory).squeeze(1)


@contextmanager
def captured_attention(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Collects the weights of every attention inside `model` that is called meanwhile, by its module's name.

    A model that nobody looks at computes nothing for this.
    """
    maps: dict[str, list[Tensor]] = {}
    with ExitStack() as stack:
        for name, module in model.named_modules():
            if isinstance(module, Attention):

                def collect(attention: Any, arguments: tuple[Any, ...], context: Any, name: str = name) -> None:
                    query, keys, _, mask = arguments
                    maps.setdefault(name, []).append(attention.weights(query, keys, mask).detach())

                stack.enter_context(_removed_after(module.register_forward_hook(collect)))
        yield maps


@contextmanager
def _removed_after(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()
