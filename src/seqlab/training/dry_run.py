"""Trial training steps before training starts, without side effects."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from seqlab.data.batch import Batch
from seqlab.data.module import SequenceData
from seqlab.training.captured_steps import CapturedSteps

WARM_UP = 3
"""Captured steps that are not timed: the first prepares kernels, the second checks that it can be captured, the third
is captured. Of plain steps that is the first alone."""


def typical_batch(data: SequenceData, device: torch.device) -> Batch:
    """The training batch of median length, on `device`."""
    return data.training_batches().middle().to(device)


@contextmanager
def without_side_effects(module: torch.nn.Module, device: torch.device) -> Iterator[None]:
    """Restores random states and buffers afterwards, and clears the gradients."""
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
    module.zero_grad(set_to_none=True)
    for name, buffer in module.named_buffers():
        buffer.copy_(buffers[name])


def trial_steps(data: SequenceData, pl_module: Any) -> CapturedSteps | None:
    """Captured steps for a trial, if the run captures its steps."""
    if data.most_shapes is None:
        return None
    return CapturedSteps(pl_module, lambda: 1, lambda reason: None)


def untimed(steps: CapturedSteps | None) -> int:
    """How many steps to take before any is timed."""
    return 1 if steps is None else WARM_UP


def timed_step(pl_module: Any, batch: Batch, steps: CapturedSteps | None = None) -> float:
    """Seconds that forward and backward take on `batch`, as a captured step if there are `steps`."""
    start = time.perf_counter()
    if steps is None:
        loss = pl_module.loss(batch)
        loss.backward()
    else:
        loss = steps.losses(batch).objective
    loss.item()  # waits for the device
    return time.perf_counter() - start


def count_flops(pl_module: Any, batch: Batch) -> int:
    """Floating-point operations of forward and backward on `batch`: two for each multiply-add of a matrix product.

    The counter cannot see inside fused kernels (of recurrent layers, of attention), so these are switched off.
    """
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings(action="ignore"))  # torch deprecates these flags
        stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(torch.compiler.set_stance("force_eager"))  # compiled code hides all products
        counter = stack.enter_context(FlopCounterMode(display=False))
        pl_module.loss(batch).backward()
    return counter.get_total_flops()
