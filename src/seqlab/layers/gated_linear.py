"""Gated linear attention as the mixer of a block: by chunks of positions, or one after another.

B batch, T positions, D width, H heads, K width of a head's keys, V of its values, N chunks, C positions of a chunk.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.checks import check_sizes
from seqlab.layers.recurrent_mixer import RecurrentMixer, at_least_single, initialise

CHUNK = 32
"""C: within a chunk all pairs of positions are computed, from chunk to chunk only the state passes."""
TEMPERATURE = 16
"""τ: gates are the τ-th root of a sigmoid, and so start near 1 (section 4.4)."""
RANK = 16
"""Width between the two matrices of the gates (section 4.4)."""
LEAST_LOG_GATE = -2.5
"""Gates are at least e^−2.5 = 0.08, a sigmoid's argument of −40. Then no ratio of gates within a chunk is larger than
e^(2.5 C / 2) = e^40, nor any product of two, and even single precision holds them all.
"""


class GatedLinearRecurrence(nn.Module):
    """S_t = diag(α_t) S_{t−1} + k_tᵀ v_t;  o_t = q_t S_t (Yang et al. 2024, section 4.1): a matrix per head, of which
    each row fades by a gate of its own.

    Several positions are computed by chunks (sections 2.2 and 4.2). Let b_t be the product of the gates from the
    chunk's first position to t. The state S before the chunk adds (q_t ⊙ b_t) S to the output, and a position s ≤ t of
    the chunk adds ((q_t ⊙ b_t / b_s) k_sᵀ) v_s, which are matrix products. b_t and b_s may be far below 1, so that both
    are divided by the b of the chunk's middle, and no b spans more than a chunk.
    """

    def forward(
        self,
        queries: Float[Tensor, "B T H K"],
        keys: Float[Tensor, "B T H K"],
        values: Float[Tensor, "B T H V"],
        log_gates: Float[Tensor, "B T H K"],
        hidden: Float[Tensor, "B H K V"],
    ) -> tuple[Float[Tensor, "B T H V"], Float[Tensor, "B H K V"]]:
        """The outputs o, and S after the last position. A key of zeros with gates of 1 leaves S as it is."""
        if queries.size(1) == 1:
            hidden = log_gates[:, 0, ..., None].exp() * hidden + keys[:, 0, ..., None] * values[:, 0, :, None]
            return (queries[:, 0, :, None] @ hidden).transpose(1, 2), hidden
        steps, size = queries.size(1), min(CHUNK, queries.size(1))
        q, k, v, logs = (_chunks(part, size) for part in (queries, keys, values, log_gates))
        faded = logs.cumsum(dim=3)  # log b
        whole, middle = faded[..., -1:, :], faded[..., size // 2, None, :].detach()  # the middle cancels out
        scores = ((faded - middle).exp() * q) @ ((middle - faded).exp() * k).mT
        added = ((whole - faded).exp() * k).mT @ v
        before = []
        for gate, more in zip(whole.exp().mT.unbind(2), added.unbind(2), strict=True):
            before.append(hidden)
            hidden = gate * hidden + more
        outputs = scores.tril() @ v + (faded.exp() * q) @ torch.stack(before, dim=2)
        return outputs.flatten(2, 3)[:, :, :steps].transpose(1, 2), hidden


def _chunks(part: Float[Tensor, "B T H W"], size: int) -> Float[Tensor, "B H N C W"]:
    """The positions in chunks, the last one filled up with zeros: keys of zero and gates of 1."""
    filled = F.pad(part, (0, 0, 0, 0, 0, -part.size(1) % size))
    return filled.unflatten(1, (-1, size)).permute(0, 3, 1, 2, 4)


class GatedLinearAttention(RecurrentMixer):
    """Gated linear attention (Yang et al. 2024, arXiv 2312.06635, section 4.4): a query's products with all earlier
    keys without a softmax, so that their sum is a matrix of fixed size, which forgets by gates that the input sets.

    q, k = W_q x, W_k x, of D / 2 in all heads together;  v = W_v x;  α = σ(W_2 W_1 x)^(1/τ);  o by
    `GatedLinearRecurrence`;  y = W_o (swish(W_r x) ⊙ norm(o)), where each head is normalised by itself

    All projections have biases, as those of attention have. These sizes are the paper's; together they have about as
    many weights as attention.

    Args:
        width: D.
        heads: H.
        causal: no position depends on a later one; else half of the heads reads backward.

    Raises:
        ValueError: 2 H does not divide D, or not `causal` and H is odd.
    """

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        check_sizes(width=width, heads=heads)
        if width % (2 * heads):
            raise ValueError(
                f"mixer=gated_linear: 2 · heads must divide width ({width}; keys have half of it), but heads is {heads}"
            )
        if heads % 2 and not causal:
            raise ValueError(
                f"mixer=gated_linear: heads of an encoder must be even (half of them read backward), but is {heads}"
            )
        self.widths = [width // 2, width // 2, width, width, RANK]  # queries, keys, values, output gate, gates
        super().__init__(width, sum(self.widths), width, GatedLinearRecurrence(), causal)
        self.heads, self.key_width = heads, width // 2 // heads
        self.gates = nn.Linear(RANK, width // 2)
        self.norm = nn.LayerNorm(width // heads)
        initialise(self, self.widths)
        nn.init.xavier_uniform_(self.gates.weight)
        nn.init.zeros_(self.gates.bias)

    def start(self, rows: int, like: Tensor) -> Float[Tensor, "B H K V"]:
        return like.new_zeros(rows, self.heads, self.key_width, 2 * self.key_width)

    def parts(self, projected: Float[Tensor, "B T _"], padding: Bool[Tensor, "B T 1"] | None) -> tuple[Tensor, ...]:
        queries, keys, values, _, low_rank = projected.split(self.widths, dim=-1)
        log_gates = F.logsigmoid(at_least_single(self.gates(low_rank))) / TEMPERATURE
        log_gates, keys = log_gates.clamp(min=LEAST_LOG_GATE), at_least_single(keys)
        if padding is not None:
            log_gates, keys = log_gates.masked_fill(padding, 0.0), keys.masked_fill(padding, 0.0)
        parts = at_least_single(queries), keys, at_least_single(values), log_gates
        return tuple(part.unflatten(-1, (self.heads, -1)) for part in parts)

    def finished(self, mixed: Float[Tensor, "B T H V"], projected: Float[Tensor, "B T _"]) -> Float[Tensor, "B T _"]:
        gate = projected.split(self.widths, dim=-1)[3]
        return F.silu(gate) * self.norm(mixed).flatten(2)
