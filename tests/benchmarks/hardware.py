"""The device that the benchmarks measure: the processor, or a GPU."""

from __future__ import annotations

import torch

_device = torch.device("cpu")


def use(kind: str) -> None:
    """Measures on this kind of device, "cpu" or "cuda", from now on, in processes forked later as well."""
    global _device
    _device = torch.device(kind)


def device() -> torch.device:
    """Where models and batches lie."""
    return _device


def on_gpu() -> bool:
    """Whether a GPU is measured."""
    return _device.type == "cuda"


def trainer_group() -> str:
    """What makes `seqlab-train` train there."""
    return "trainer=gpu" if on_gpu() else "trainer=cpu"


def synchronize() -> None:
    """Waits until the device has done all that it was given."""
    if on_gpu():
        torch.cuda.synchronize()
