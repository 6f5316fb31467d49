"""Attention of a query over a memory, and how to record its weights.

B batch, S memory length, T queries per row, Q query width, K key width, M memory width, A attention width.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

AT_ONCE = 2**21
"""On a CPU, additive scores are computed for as many queries at once as need about this many numbers, and at least for
one query per row: more do not fit into the processor's cache.
"""


def padding_mask(lengths: Int[Tensor, " B"], steps: int) -> Bool[Tensor, "B T"]:
    """True where a position is inside its row. An empty row counts as one position long, so that there is always
    something to attend to.
    """
    return torch.arange(steps, device=lengths.device) < lengths.clamp(min=1)[:, None]


class Attention(nn.Module):
    """Base of all attentions: called with (query, keys, values, mask), it returns the context.

    `weights` returns, for the same query, keys and mask, the distribution that the values are averaged with. Where the
    context can be computed without it, only `captured_attention` calls it.
    """

    @abstractmethod
    def weights(self, query: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """(…, S), each row a distribution over the memory; positions where `mask` is False have weight zero."""


class ScoredAttention(Attention):
    """Global attention with a score for every position: the context is a weighted average of the values.

    α = softmax(e) over the positions inside the row;  c = Σ_j α_j v_j

    A subclass defines the score e_j of the query and the memory m_j. What does not depend on the query is computed once
    per sequence, by its `keys(memory)`. The values are the memory itself, or the memory after a linear map W if W c is
    needed, because W c = Σ_j α_j (W m_j). Takes one query per row (B, Q), or those of T steps at once (B, T, Q).
    """

    @abstractmethod
    def scores(self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S K"]) -> Float[Tensor, "B T S"]:
        """The scores e, before padding is masked."""

    def weights(
        self, query: Float[Tensor, "B *T Q"], keys: Float[Tensor, "B S K"], mask: Bool[Tensor, "B S"]
    ) -> Float[Tensor, "B *T S"]:
        """The weights α."""
        queries = query if query.dim() == 3 else query[:, None]
        weights = self.scores(queries, keys).masked_fill(~mask[:, None], -torch.inf).softmax(dim=-1)
        return weights if query.dim() == 3 else weights.squeeze(1)

    def forward(
        self,
        query: Float[Tensor, "B *T Q"],
        keys: Float[Tensor, "B S K"],
        values: Float[Tensor, "B S M"],
        mask: Bool[Tensor, "B S"],
    ) -> Float[Tensor, "B *T M"]:
        """The context vector c of each query."""
        weights = self.weights(query, keys, mask)
        return torch.bmm(weights, values) if query.dim() == 3 else torch.bmm(weights[:, None], values).squeeze(1)


class AdditiveAttention(ScoredAttention):
    """Additive attention (Bahdanau et al. 2015, arXiv 1409.0473, section 3.1 and appendix A.1.2).

    e_j = vᵀ tanh(W q + U m_j + b)

    The "concat" score of Luong et al. (2015, arXiv 1508.04025, section 3.1), vᵀ tanh(W_a [q; m_j]), is the same
    function with W_a = [W, U] and without b. Their query differs: it is the state after the step, not before it.
    """

    def __init__(self, query_width: int, memory_width: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, width, bias=False)
        self.keys = nn.Linear(memory_width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def scores(self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S A"]) -> Float[Tensor, "B T S"]:
        """The scores e plus a constant, Σ v, which does not change the softmax.

        They are computed with tanh(x) = 2 σ(2x) − 1, because σ takes a tenth of the time of tanh on a CPU. In half
        precision σ is too inexact near zero, so there tanh is used, without the constant.
        """
        projected, keys = self.query(queries)[:, :, None], keys[:, None]
        if keys.device.type != "cpu":
            return self._scores(projected, keys)
        at_once = max(1, AT_ONCE // keys.numel())
        return torch.cat([self._scores(some, keys) for some in projected.split(at_once, dim=1)], dim=1)

    def _scores(self, queries: Float[Tensor, "B T 1 A"], keys: Float[Tensor, "B 1 S A"]) -> Float[Tensor, "B T S"]:
        if queries.dtype.itemsize < 4:
            return self.score((queries + keys).tanh_()).squeeze(-1)
        return F.linear(torch.add(2 * queries, keys, alpha=2).sigmoid_(), 2 * self.score.weight).squeeze(-1)


class DotAttention(ScoredAttention):
    """The "dot" score (Luong et al. 2015, arXiv 1508.04025, section 3.1): e_j = qᵀ m_j, for vectors of equal width."""

    def keys(self, memory: Float[Tensor, "B S M"]) -> Float[Tensor, "B S M"]:
        """The memory itself."""
        return memory

    def scores(self, queries: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S Q"]) -> Float[Tensor, "B T S"]:
        """The scores e."""
        return torch.bmm(queries, keys.transpose(1, 2))


class GeneralAttention(DotAttention):
    """The "general" score (Luong et al. 2015, arXiv 1508.04025, section 3.1): e_j = qᵀ W m_j.

    The keys are W m_j, so that only the dot score is left to compute at each step.
    """

    def __init__(self, query_width: int, memory_width: int) -> None:
        super().__init__()
        self.key = nn.Linear(memory_width, query_width, bias=False)

    def keys(self, memory: Float[Tensor, "B S M"]) -> Float[Tensor, "B S Q"]:
        """W m_j."""
        return self.key(memory)


@contextmanager
def captured_attention(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """While it is active, collects the weights of every call of an attention in `model`, by the module's name.

    Outside of it, a model computes nothing extra.
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
