"""Half precision on a processor, where some kernels are slow and others missing."""

from __future__ import annotations

import torch
from torch import Tensor


def in_half_on_cpu(values: Tensor) -> bool:
    """Whether what is computed of `values` is computed on a processor in half precision, by their type or autocast."""
    if values.device.type != "cpu":
        return False
    return values.dtype.itemsize == 2 or torch.is_autocast_enabled("cpu")
