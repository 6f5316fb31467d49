"""Memory that a process held at most, against a block of known size."""

import sys

import numpy as np
import pytest
import torch

from seqlab.training.peak_memory import measure_anew, peak_memory

CPU = torch.device("cpu")
MIB = 2**20


def held(mebibytes):
    """Holds so much for a moment."""
    assert np.ones(mebibytes * MIB, np.uint8).all()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux measures a process anew")
def test_a_block_that_was_held_counts_until_memory_is_measured_anew():
    measure_anew(CPU)
    before = peak_memory(CPU)
    held(300)
    after = peak_memory(CPU)
    measure_anew(CPU)
    held(50)
    assert 290 * MIB < after - before < 320 * MIB
    assert 40 * MIB < peak_memory(CPU) - before < 70 * MIB


def test_a_system_without_the_order_is_measured_as_it_is(monkeypatch, tmp_path):
    monkeypatch.setattr("seqlab.training.peak_memory.RESET", tmp_path / "missing" / "clear_refs")
    measure_anew(CPU)
    assert peak_memory(CPU) > MIB


def test_no_answer_where_the_system_does_not_tell(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory(CPU) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_tensors_count():
    device = torch.device("cuda", torch.cuda.current_device())
    measure_anew(device)
    before = peak_memory(device)
    block = torch.ones(100 * MIB, dtype=torch.uint8, device=device)
    del block
    assert peak_memory(device) - before == pytest.approx(100 * MIB, abs=2 * MIB)
