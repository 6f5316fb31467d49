"""Compiling a model, where that is possible."""

from __future__ import annotations

import logging

import torch

log = logging.getLogger(__name__)


def compile_model(model: torch.nn.Module) -> None:
    """Has `torch.compile` make the forward pass of training and measuring; generating stays as it is.

    The first batches take long. Where nothing can be compiled (there is no compiler, or one without Python's headers),
    the model is left alone, with a warning.
    """
    reason = why_not()
    if reason is not None:
        log.warning("compile: nothing can be compiled here (%s), so the model is not", reason)
        return
    model.compile(dynamic=True)


def why_not() -> str | None:
    """The first line of what stands in the way of compiling on the device of this machine, found out by trying."""
    small = torch.ones(2, device="cuda" if torch.cuda.is_available() else "cpu")
    try:
        # What was compiled before, perhaps with a compiler that is gone, says nothing.
        with torch.compiler.config.patch(force_disable_caches=True):  # type: ignore[attr-defined]
            torch.compile(torch.sin)(small)
    except Exception as error:  # of a compiler, of its subprocess, of what loads the result
        return str(error).strip().splitlines()[0]
    return None
