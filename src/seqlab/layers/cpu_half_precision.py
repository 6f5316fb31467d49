"""Half precision on a CPU, where some kernels are slow and others are missing."""

from __future__ import annotations

import torch
from torch import Tensor


def in_half_on_cpu(values: Tensor) -> bool:
    """Whether computing with `values` means half precision on a CPU, because of their dtype or of autocast."""
    if values.device.type != "cpu":
        return False
    return values.dtype.itemsize == 2 or torch.is_autocast_enabled("cpu")
