"""Optimizers that need more than torch's own constructor."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor
from torch.optim import AdamW


def adamw(
    params: Iterable[Tensor],
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.01,
    fused: bool = True,
) -> AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101), on matrices alone.

    Embeddings are matrices. Biases, gains and other vectors are few, and pulling them towards zero regularises
    nothing (Brown et al. 2020 train so: arXiv 2005.14165, appendix B).
    """
    params = list(params)
    matrices, others = [p for p in params if p.dim() >= 2], [p for p in params if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return AdamW([group for group in groups if group["params"]], lr=lr, betas=betas, fused=fused)
