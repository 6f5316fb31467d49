"""Optimizers that treat a model's matrices differently from its other parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

NamedParameters = Iterable[tuple[str, Tensor]]


def adamw(
    params: NamedParameters,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.01,
    fused: bool = True,
) -> AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101), on matrices alone.

    Embeddings count as matrices. Biases, gains and other vectors are not decayed: they are few, and pulling them
    towards zero does not regularise (Brown et al. 2020 train in the same way: arXiv 2005.14165, appendix B).
    """
    params = list(params)
    groups: list[dict[str, Any]] = [
        {"params": [(name, p) for name, p in params if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [(name, p) for name, p in params if p.dim() < 2], "weight_decay": 0.0},
    ]
    return AdamW([group for group in groups if group["params"]], lr=lr, betas=betas, fused=fused)


class Muon(Optimizer):
    """Muon (Jordan et al. 2024) for the matrices between input and output, AdamW for all other parameters.

    Muon orthogonalises the momentum of a matrix, so that no direction dominates its step, and scales the step to the
    size of AdamW's (Liu et al. 2025, arXiv 2502.16982, section 2.2), so that both use one learning rate.

    Args:
        params: names and parameters.
        lr: learning rate of both.
        momentum: of Muon.
        betas: of AdamW.
        weight_decay: of all matrices.
        adamw: `fnmatch` patterns of matrices that AdamW trains: embeddings and output layers.

    Raises:
        ValueError: no matrix is left for Muon.
    """

    def __init__(
        self,
        params: NamedParameters,
        lr: float = 4e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.1,
        adamw: Sequence[str] = ("*.table.weight", "output.weight"),
    ) -> None:
        params = list(params)
        inner = [(n, p) for n, p in params if p.dim() == 2 and not any(fnmatchcase(n, one) for one in adamw)]
        if not inner:
            raise ValueError("muon needs matrices between input and output, but this model has none")
        names = {name for name, _ in inner}
        others = [(name, p) for name, p in params if name not in names]
        self._parts: list[Optimizer] = [
            torch.optim.Muon(inner, lr=lr, momentum=momentum, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
        ]
        if others:
            self._parts.append(_adamw(others, lr, betas, weight_decay))
        # The same group objects as in the parts, so that a schedule changes the learning rates of the parts.
        super().__init__([group for part in self._parts for group in part.param_groups], {})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of both optimizers."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The states of both optimizers."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the states of both."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self._parts for group in part.param_groups]


_adamw = adamw  # an argument of `Muon` shadows the name
