"""Who still runs what."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from hydra_pruning_sweeper.study import lease as module
from hydra_pruning_sweeper.study.lease import Lease, LeaseWatch, lease_of, machine, start_of

OWN = Lease("me", machine(), os.getpid(), start_of(os.getpid()))


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_lease_comes_back_from_the_storage_as_it_was():
    lease = replace(OWN, child=(7, 123), beat=5)
    assert lease_of({"lease": {**lease.as_attribute(), "child": [7, 123]}}) == lease
    assert lease_of({"other": 1}) is None


def test_nobody_and_whoever_gave_it_back_have_expired():
    watch = LeaseWatch(60)
    assert watch.has_expired(1, None)
    assert watch.has_expired(1, replace(OWN, held=False))


def test_a_living_process_here_has_not_expired_and_a_dead_one_has_at_once():
    watch = LeaseWatch(60)
    assert not watch.has_expired(1, OWN)
    done = subprocess.Popen([sys.executable, "-c", "pass"])
    done.wait()
    assert watch.has_expired(1, replace(OWN, pid=done.pid, started=None))
    assert watch.has_expired(1, replace(OWN, started=OWN.started + 1))  # the number is another process's by now


def test_another_machine_expires_when_it_gives_no_sign_for_long(clock):
    watch, lease = LeaseWatch(60), replace(OWN, host="elsewhere")
    assert not watch.has_expired(1, lease)
    clock[0] = 50
    assert not watch.has_expired(1, lease)
    lease = lease.beating()
    clock[0] = 70
    assert not watch.has_expired(1, lease)  # a sign
    clock[0] = 131
    assert watch.has_expired(1, lease)
