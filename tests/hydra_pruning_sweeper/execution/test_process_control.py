"""Processes are stopped with their groups and their parents, on Linux and elsewhere."""

import os
import signal
import subprocess
import sys
import time

import pytest
from sweeper_support.simulation import path

from hydra_pruning_sweeper.execution import process_control
from hydra_pruning_sweeper.execution.process_control import end_group, interrupts_handled
from hydra_pruning_sweeper.study.lease import is_running, start_of

FORKS = """
import os, signal, subprocess, sys, time
from pathlib import Path
from hydra_pruning_sweeper.execution.process_control import die_with

def note(name, text=""):
    Path(f"{name}.new").write_text(text)
    Path(f"{name}.new").rename(name)

parent = os.getpid()
if os.fork() == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, lambda *_: (note("stopped"), os._exit(0)))
    grandchild = subprocess.Popen(["sleep", "60"])
    sys.platform = sys.argv[1]
    die_with(parent, signal.SIGTERM)
    note("ready", str(grandchild.pid))
time.sleep(60)
"""


def test_a_group_is_ended_only_if_it_is_the_one_that_was_meant():
    one = subprocess.Popen(["sleep", "60"], start_new_session=True)
    started = start_of(one.pid)
    assert end_group(one.pid, started + 1)
    assert is_running(one.pid, started)
    assert end_group(one.pid, started)
    assert one.wait() == -9
    assert not is_running(one.pid, started)
    assert end_group(one.pid, started)


def test_where_the_system_does_not_tell_starts_nothing_is_killed_and_that_is_said(monkeypatch):
    monkeypatch.setattr(process_control.time, "sleep", lambda _: None)
    one = subprocess.Popen(["sleep", "60"], start_new_session=True)
    assert not end_group(one.pid, None)
    assert one.poll() is None
    one.kill()
    one.wait()
    assert end_group(one.pid, None)


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_process_is_signalled_when_its_parent_is_killed(tmp_path, platform):
    if platform == "linux" and sys.platform != platform:
        pytest.skip("needs the kernel of Linux")
    with subprocess.Popen(
        [sys.executable, "-c", FORKS, platform], cwd=tmp_path, env={**os.environ, **path()}
    ) as parent:
        wait_for(tmp_path / "ready")
        assert not (tmp_path / "stopped").exists()
        parent.kill()
    wait_for(tmp_path / "stopped")
    grandchild = int((tmp_path / "ready").read_text())
    if platform == "linux":  # the kernel signals only the process itself
        assert is_running(grandchild, None)
        os.kill(grandchild, signal.SIGKILL)
    else:
        until = time.monotonic() + 30
        while is_running(grandchild, None) and time.monotonic() < until:
            time.sleep(0.02)
        assert not is_running(grandchild, None)


def wait_for(file, seconds=60):
    until = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < until, f"{file} was not written in {seconds} s"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupts_are_handled_until_the_end_and_then_as_before(number):
    before, handled = signal.getsignal(number), []
    with pytest.raises(KeyError), interrupts_handled(lambda number, _: handled.append(number)):
        signal.raise_signal(number)
        raise KeyError
    assert handled == [number]
    assert signal.getsignal(number) is before
