"""The minimal gated recurrent unit as the mixer of a block: all positions by a parallel scan, or one after another.

B batch, T positions, D width, N channels.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.checks import check_sizes
from seqlab.layers.recurrent_mixer import RecurrentMixer, at_least_single, initialise

START = 0.5
"""The first hidden state, g(0)."""


def positive(values: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """g(x) = x + ½ where x ≥ 0, else σ(x): continuous, increasing and positive (Feng et al. 2024, appendix B.2)."""
    return torch.where(values >= 0, F.relu(values) + 0.5, values.sigmoid())


class MinGRURecurrence(nn.Module):
    """h_t = (1 − z_t) h_{t−1} + z_t g(x_t), with z_t = σ(k_t) (Feng et al. 2024, section 3.1.3 and appendix B.2).

    Gates k and candidates x depend on no earlier state, so that all positions are computed at once, by a scan of
    log₂ T rounds (Hillis and Steele 1986). A round joins each position's step h ↦ kept · h + added, which by then spans
    s positions, with the one that ends s positions earlier:

        added_t ← added_t + kept_t · added_{t−s};  kept_t ← kept_t · kept_{t−s}

    All factors lie between 0 and 1, so nothing overflows, and what is rounded to zero is too small to matter. The
    paper's scan in log space (Heinsen 2023) gives the same and took 1.8 to 4 times as long on a CPU.
    """

    def forward(
        self, gates: Float[Tensor, "B T N"], candidates: Float[Tensor, "B T N"], hidden: Float[Tensor, "B N"]
    ) -> tuple[Float[Tensor, "B T N"], Float[Tensor, "B N"]]:
        """The state after each position, and after the last. A gate of −∞ leaves the state as it is."""
        kept, added = (-gates).sigmoid(), gates.sigmoid() * positive(candidates)
        span = 1
        while span < gates.size(1):
            before = (0, 0, span, -span)  # along T: what was `span` positions earlier, and nothing before the first
            added = added + kept * F.pad(added, before)
            kept = kept * F.pad(kept, before, value=1.0)
            span *= 2
        states = added + kept * hidden[:, None]
        return states, states[:, -1]


class MinGRU(RecurrentMixer):
    """Were RNNs all we needed? (Feng et al. 2024, arXiv 2410.01201, sections 3.1 and 3.3): a GRU whose gates and
    candidates do not look at the state before.

    k = W_k x + b_k;  x̃ = W_h x + b_h;  h by `MinGRURecurrence`;  y = W_o h + b_o

    The paper's expansion factor is 4/3 here: three matrices of D × 4/3 D have as many weights as the four of attention.
    Its language models have a convolution of four positions before each minGRU, which is left out here.

    Args:
        width: D.
        heads: not used: channels do not interact.
        causal: no position depends on a later one; else half of the channels reads backward.
    """

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        check_sizes(width=width)
        channels = max(1, round(width / 6)) * 8  # about 4/3 D, and a multiple of 8
        super().__init__(width, 2 * channels, channels, MinGRURecurrence(), causal)
        self.channels = channels
        initialise(self, [channels, channels])

    def start(self, rows: int, like: Tensor) -> Float[Tensor, "B N"]:
        return like.new_full((rows, self.channels), START)

    def parts(self, projected: Float[Tensor, "B T _"], padding: Bool[Tensor, "B T 1"] | None) -> tuple[Tensor, ...]:
        gates, candidates = at_least_single(projected).chunk(2, dim=-1)
        return gates if padding is None else gates.masked_fill(padding, -torch.inf), candidates

    def finished(self, mixed: Float[Tensor, "B T N"], projected: Float[Tensor, "B T _"]) -> Float[Tensor, "B T N"]:
        return mixed
