"""Compiling a model, where that is possible."""

from __future__ import annotations

import logging
import os
import shutil

import torch

log = logging.getLogger(__name__)


def compile_model(model: torch.nn.Module) -> None:
    """Has `torch.compile` make the forward pass of training and measuring; generating stays as it is.

    The first batches take long. Without a C++ compiler, which compiled code on a processor needs, the model is left
    alone, with a warning.
    """
    if shutil.which(os.environ.get("CXX", "c++")) is None and not torch.cuda.is_available():
        log.warning("compile: no C++ compiler here, so the model is not compiled")
        return
    model.compile(dynamic=True)
