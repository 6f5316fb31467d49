"""Values of a GPU that are read later, so that nobody waits for them."""

from __future__ import annotations

import torch
from torch import Tensor


class DelayedValue:
    """A number that is on its way to the host; on a CPU it is there at once.

    Args:
        value: a tensor of one element, which may be overwritten once this is made.
    """

    def __init__(self, value: Tensor) -> None:
        self._arrived: torch.cuda.Event | None = None
        if value.is_cuda:
            self._copy = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
            self._copy.copy_(value.detach(), non_blocking=True)
            self._arrived = torch.cuda.Event()
            self._arrived.record()
        else:
            self._copy = value.detach().clone()

    def read(self) -> float:
        """The number; waits for it if need be."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._copy.item()
