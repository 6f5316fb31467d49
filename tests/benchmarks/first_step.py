"""`python first_step.py ARGUMENTS of seqlab-train`: says when the first step was done, torch and lightning imported."""

from __future__ import annotations

import os
import time
from typing import Any

import lightning.pytorch
import torch  # noqa: F401  # imported before the clock starts

STARTED = "SEQLAB_BENCH_STARTED"  # this module is imported a second time, under its own name


class FirstStep(lightning.pytorch.Callback):
    """Says it."""

    def on_train_batch_end(self, *arguments: Any) -> None:
        """After each step, of which there is but one."""
        print(f"first step after {time.perf_counter() - float(os.environ[STARTED]):.4f} s", flush=True)


def seconds_in(output: str) -> float:
    """What it said."""
    (line,) = (line for line in output.splitlines() if line.startswith("first step after "))
    return float(line.split()[3])


if __name__ == "__main__":
    os.environ[STARTED] = str(time.perf_counter())
    from seqlab.train import main

    main()
