"""How the cores and GPUs of a machine are divided among the slots that trials run in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import plural

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def slot_threads(slots: int) -> int:
    """Threads per slot: the available cores divided by the slots, at most OMP_NUM_THREADS."""
    cores = available_cores()
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores // slots, int(limit) if limit.isdecimal() else cores))


def visible_gpus() -> list[str]:
    """The identifiers of the GPUs that this process may use."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [one for one in visible.split(",") if one and one != "-1"]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [str(number) for number in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]


def groups_of_gpus(gpus: Sequence[str], size: int) -> list[str]:
    """The GPUs in groups of `size`, each as CUDA_VISIBLE_DEVICES names them; those that are left over are not used.

    Raises:
        UsageError: there are fewer, though a group is to have several.
    """
    if size > max(1, len(gpus)):
        raise UsageError(f"hydra.sweeper.gpus is {size}, but {plural(len(gpus), 'GPU')} can be used here")
    return [",".join(gpus[at : at + size]) for at in range(0, len(gpus) - size + 1, size)]


def slot_environment(slot: int, threads: int, gpus: Sequence[str]) -> dict[str, str]:
    """Environment variables that limit a slot to its share of cores, and to one GPU or one group of them."""
    environment = dict.fromkeys(THREADS, str(threads))
    return environment | ({"CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]} if gpus else {})
