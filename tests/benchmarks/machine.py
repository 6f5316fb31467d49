"""What the figures were measured on."""

from __future__ import annotations

import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from benchmarks import hardware
from benchmarks.harness import Spread, isolated, thread_count
from seqlab.code_hash import code
from seqlab.training.provenance import commit, cpuinfo, processor

PACKAGES = ("seqlab", "torch", "lightning", "transformers", "numpy")
INSTRUCTIONS = {"avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16"}  # on which products depend


def matrix_size() -> int:
    """Rows of the matrices whose product is timed."""
    return 8192 if hardware.on_gpu() else 1024


def matmul_peak(dtype: torch.dtype, seconds: float = 2.0) -> Spread:
    """Floating-point operations a second of a product of two square matrices."""
    size = matrix_size()
    a, b = (torch.randn(size, size, device=hardware.device()).to(dtype) for _ in range(2))
    rates, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        a @ b
        hardware.synchronize()
        rates.append(2 * size**3 / (time.perf_counter() - start))
    return Spread.of(rates[len(rates) // 5 :])


def gpu() -> str | None:
    """The name of the GPU; None if there is none. It starts CUDA, which a process that forks others must not do."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def describe(peaks: dict[str, Spread]) -> dict[str, Any]:
    """Processor, GPU if that is measured, versions, commit, threads and peaks."""
    card = {}
    if hardware.on_gpu():
        card = {"gpu": isolated(gpu), "cuda": torch.version.cuda, "matmul_size": matrix_size()}
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        **card,
        "processor": processor(),
        "instructions": sorted(INSTRUCTIONS & set(cpuinfo().get("flags", "").split())),
        "threads": thread_count(),
        "matmul_gflops": {name: round(peak.median / 1e9) for name, peak in peaks.items()},
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "commit": commit(),
        "code": code(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
