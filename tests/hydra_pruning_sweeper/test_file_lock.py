"""A lock on a file has one holder, and dies with it."""

import os
import signal
import subprocess
import sys

import pytest
from sweeper_support.simulation import path

from hydra_pruning_sweeper.file_lock import file_lock


def test_a_lock_has_one_holder(tmp_path):
    place = tmp_path / "lock"
    with file_lock(place), pytest.raises(OSError), file_lock(place, wait=False):
        pass
    with file_lock(place, wait=False):
        pass


def test_a_lock_dies_with_its_holder(tmp_path):
    place = tmp_path / "lock"
    code = f"""
import time
from hydra_pruning_sweeper.file_lock import Path, file_lock
with file_lock(Path({str(place)!r})):
    print("held", flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, **path()})
    holder.stdout.readline()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with file_lock(place, wait=False):
        pass
