"""How long a GPU is busy, from a profiler's events made up here; and which kernels are chosen for whom."""

from types import SimpleNamespace

import pytest
import torch
from torch.autograd import DeviceType

from benchmarks.gpu_training import Kernels
from benchmarks.kernels import kernel_seconds, watched


def event(start, end, name="gemm", device=DeviceType.CUDA, annotation=False):
    span = SimpleNamespace(start=start, end=end)
    return SimpleNamespace(name=name, device_type=device, time_range=span, is_user_annotation=annotation)


@pytest.mark.parametrize(
    ("events", "microseconds"),
    [
        ([], 0),
        ([event(0, 10), event(20, 25)], 15),
        ([event(20, 25), event(0, 10)], 15),  # in no order
        ([event(0, 10), event(5, 12)], 12),  # overlapping, on two streams
        ([event(0, 10), event(2, 4), event(8, 11)], 11),  # one within another
        ([event(0, 10), event(10, 12)], 12),
        ([event(0, 10), event(0, 90, "Optimizer.step#Adam.step", annotation=True)], 10),
        ([event(0, 10), event(0, 90, "aten::mm", DeviceType.CPU)], 10),
        ([event(0, 10), event(10, 30, "Memcpy HtoD (Pinned -> Device)"), event(30, 40, "Memset (Device)")], 10),
    ],
)
def test_busy_is_when_at_least_one_kernel_runs(events, microseconds):
    assert kernel_seconds(events) == pytest.approx(microseconds / 1e6)


def test_without_a_gpu_nothing_is_noted():
    noted = []
    with watched(noted.append):
        torch.ones(3) + 1
    assert noted == []


def test_a_side_computes_with_the_kernels_of_before():
    flags, seen = torch.backends.cuda.matmul, []
    before, usual = flags.allow_tf32, Kernels()
    try:
        flags.allow_tf32 = not before
        assert usual.side(lambda turn: seen.append(flags.allow_tf32) or 7.0)(0) == 7.0
        assert seen == [before]
        assert flags.allow_tf32 is not before
    finally:
        flags.allow_tf32 = before
