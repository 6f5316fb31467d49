"""Memory that a process held at most, against a block of known size."""

import resource
import subprocess
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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's own")
def test_what_the_process_held_that_started_this_one_does_not_count():
    code = "import torch; from seqlab.training.peak_memory import peak_memory; print(peak_memory(torch.device('cpu')))"
    block = np.ones(800 * MIB, np.uint8)
    assert block.all()
    inside = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert 100 * MIB < inside < 750 * MIB


def test_elsewhere_the_most_of_the_whole_process_counts(monkeypatch, tmp_path):
    monkeypatch.setattr("seqlab.training.peak_memory.PROCESS", tmp_path / "missing")
    measure_anew(CPU)
    unit = 1 if sys.platform == "darwin" else 1024
    assert peak_memory(CPU) == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def test_no_answer_where_the_system_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr("seqlab.training.peak_memory.PROCESS", tmp_path / "missing")
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
