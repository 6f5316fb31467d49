"""How a run ends when the machine is too small for it."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = ["data=reversal", "data.samples=40", "model.width=64", "model.embedding=8", "trainer=cpu"]


def train(folder, *arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "seqlab.train", *SETTINGS, "trainer.max_epochs=1", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, **options)


def error_of(done, code):
    """The one line on standard error."""
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_full_disk_ends_with_one_line_and_nothing_half_written(tmp_path):
    limit = 60_000  # bytes a file: enough for logs, too little for a checkpoint
    done = train(
        tmp_path, "hydra.run.dir=run", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    assert "file too large" in error_of(done, 2).lower()
    assert list((tmp_path / "run").rglob("*.ckpt")) == []
    assert not (tmp_path / "run/result.json").exists()


@pytest.mark.parametrize("kind", ["torch", "allocator"])
def test_no_memory_left_says_which_setting_to_lower(tmp_path, kind):
    done = train(tmp_path, "+callbacks.hungry._target_=signals.Hungry", f"+callbacks.hungry.kind={kind}")
    assert "out of memory: lower data.batch_size (64)" in error_of(done, 1)
