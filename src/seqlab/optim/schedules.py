"""Learning-rate schedules. The learning rate of the optimizer is the highest rate of each schedule.

`inverse_sqrt` and `cosine` multiply it by a factor that depends on the step's number alone, so that a resumed run
continues with the same rates.
"""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from seqlab.checks import check_sizes


def inverse_sqrt(optimizer: Optimizer, warmup: int = 4000) -> LambdaLR:
    """Linear warm-up, then decay with 1 / √n (Vaswani et al. 2017, arXiv 1706.03762, section 5.3).

    lr_n = lr · min(n / w, √(w / n)) in step n = 1, 2 …, with w = `warmup`.

    The paper's formula, d^−½ min(n^−½, n w^−3⁄2), is this one with lr = (d w)^−½.

    Raises:
        ValueError: `warmup` is below 1.
    """
    check_sizes(warmup=warmup)
    return LambdaLR(optimizer, lambda done: min((done + 1) / warmup, math.sqrt(warmup / (done + 1))))


def cosine(optimizer: Optimizer, total_steps: int, warmup: float = 0.1, floor: float = 0.0) -> LambdaLR:
    """Half a cosine (Loshchilov & Hutter 2017, arXiv 1608.03983, section 3, without restarts) after a linear warm-up.

    lr_n = lr · n / w for the first w steps, then
    lr_n = lr · (f + (1 − f) (1 + cos(π (n − w) / (N − w))) / 2) in step n = 1 … N = `total_steps`.

    Args:
        warmup: w, as a number of steps or, below 1, as a share of all steps.
        floor: f, the share of the rate that is left in the last step.

    Raises:
        ValueError: the warm-up is as long as the run, or a share is out of range.
    """
    if warmup < 0 or (warmup >= 1 and not float(warmup).is_integer()):
        raise ValueError(f"warmup must be a number of steps, or a share of them below 1, but is {warmup}")
    if not 0 <= floor <= 1:
        raise ValueError(f"floor must be 0 to 1, but is {floor}")
    rising = round(warmup * total_steps) if warmup < 1 else int(warmup)
    if rising >= total_steps:
        raise ValueError(f"warmup must be shorter than the run of {total_steps} steps, but is {warmup}")

    def factor(done: int) -> float:
        step = min(done + 1, total_steps)
        if step <= rising:
            return step / rising
        return floor + (1 - floor) * (1 + math.cos(math.pi * (step - rising) / (total_steps - rising))) / 2

    return LambdaLR(optimizer, factor)


class Plateau(ReduceLROnPlateau):
    """Lowers the rate when a validation metric stops improving.

    Args:
        monitor: the metric; the model steps the schedule with it after each validation.
        rest: of `torch.optim.lr_scheduler.ReduceLROnPlateau`; its patience counts validations.
    """

    def __init__(self, optimizer: Optimizer, monitor: str, **rest: Any) -> None:
        super().__init__(optimizer, **rest)
        self.monitor = monitor
