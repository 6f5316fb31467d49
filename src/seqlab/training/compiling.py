"""`torch.compile`, where this machine can compile."""

from __future__ import annotations

import logging

import torch

log = logging.getLogger(__name__)


def compile_model(model: torch.nn.Module) -> None:
    """Compiles the forward pass of training and evaluation; generation is not compiled.

    The first batches take longer. Where compiling fails (there is no C++ compiler, or Python's headers are missing),
    the model stays uncompiled, with a warning.
    """
    reason = why_compiling_fails()
    if reason is not None:
        log.warning("compile: this machine cannot compile (%s), so the model stays uncompiled", reason)
        return
    model.compile(dynamic=True)


def why_compiling_fails() -> str | None:
    """Compiles a small function on this machine's device; the first line of the error, or None if it works."""
    small = torch.ones(2, device="cuda" if torch.cuda.is_available() else "cpu")
    try:
        # A cached result would prove nothing: the compiler that made it may be gone.
        with torch.compiler.config.patch(force_disable_caches=True):  # type: ignore[attr-defined]
            torch.compile(torch.sin)(small)
    except Exception as error:  # raised by the compiler, its subprocess, or the loader of its output
        return str(error).strip().splitlines()[0]
    return None
