"""What is seen of running jobs: the pace they write, the memory of their processes, what is free."""

import os
import signal
import subprocess
import sys
import time

import pytest
from sweeper_support.pretended_executor import PretendedExecutor
from sweeper_support.simulation import controller

from hydra_pruning_sweeper.execution import slot_count
from hydra_pruning_sweeper.execution.executor import JobEnd
from hydra_pruning_sweeper.execution.host_memory import bytes_of_groups, free_bytes
from hydra_pruning_sweeper.execution.slot_count import MeasuredSlots, SlotCount
from hydra_pruning_sweeper.execution.slot_policy import SlotPolicy
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.trial.pace import PACE_VARIABLE, DeviceMemory, Pace, pace_path

GB = 1e9


@pytest.fixture
def looks(monkeypatch):
    """Looks are taken at every question, and the machine has 10 GB."""
    monkeypatch.setattr(slot_count, "LOOK_SECONDS", -1.0)
    monkeypatch.setattr(slot_count, "LATER_SECONDS", -1.0)
    monkeypatch.setattr(slot_count, "free_bytes", lambda: 10 * GB)
    monkeypatch.setattr(slot_count, "bytes_of_groups", lambda leaders: dict.fromkeys(leaders, GB))


def test_a_pace_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "pace.json"
    for pace in (Pace(3, 0.5), Pace(3, 0.5, DeviceMemory(1.0, 2.0, 3.0))):
        pace.write(path)
        assert Pace.read(path) == pace


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"steps": "x", "seconds": 1, "device": null}', "1" * 9000])
def test_what_is_no_pace_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / "pace.json").write_text(content)
    assert Pace.read(tmp_path / "pace.json") is None


def test_a_process_writes_its_pace_only_where_somebody_reads_it(tmp_path):
    assert pace_path({}) is None
    assert pace_path({PACE_VARIABLE: str(tmp_path / "x")}) == tmp_path / "x"


def test_a_fixed_number_stays(tmp_path):
    slots = SlotCount(3)
    assert slots.prepare(0, 0, tmp_path) == {}
    slots.started(0, 1)
    slots.ended(0, True)
    assert (slots.allowed(), slots.news()) == (3, None)


def test_jobs_on_a_gpu_are_seen_by_the_files_that_they_write(looks, tmp_path):
    slots = MeasuredSlots(SlotPolicy(16, 1, 99), "trial")
    (tmp_path / "pace.json").write_text("of an earlier attempt")
    (variable, path), *_ = slots.prepare(7, 0, tmp_path).items()
    assert (variable, path) == (PACE_VARIABLE, str(tmp_path / "pace.json"))
    assert not (tmp_path / "pace.json").exists()
    slots.started(7, 123)
    assert slots.allowed() == 1
    for seconds in (2.0, 6.0):
        Pace(int(100 * seconds), seconds, DeviceMemory(5 * GB, 130 * GB, 139 * GB)).write(tmp_path / "pace.json")
        allowed = slots.allowed()
    assert allowed == 2
    assert slots.news() is None  # nothing is decided before two were tried
    slots.ended(7, True)
    assert not (tmp_path / "pace.json").exists()
    slots.ended(8, True)  # one that was never started


def test_the_decision_is_told_once(looks, tmp_path):
    slots = MeasuredSlots(SlotPolicy(4, 0, 99), "trial")
    slots.prepare(0, 0, tmp_path)
    slots.started(0, 123)
    Pace(100, 2.0).write(tmp_path / "pace.json")
    assert slots.allowed() == 4
    assert slots.news() == "4 slots: a trial takes 1.0 GB of 10, 4 cores, no core is left"
    assert slots.news() is None


def test_a_short_job_is_seen_when_it_has_ended(monkeypatch, looks, tmp_path):
    monkeypatch.setattr(slot_count, "LOOK_SECONDS", 1e9)
    slots = MeasuredSlots(SlotPolicy(4, 1, 99), "trial")
    slots.allowed()
    slots.prepare(0, 0, tmp_path)
    slots.started(0, None)
    Pace(3, 0.1, DeviceMemory(5 * GB, 130 * GB, 139 * GB)).write(tmp_path / "pace.json")
    slots.ended(0, True)
    assert slots.policy.slots == 4


def test_a_sweep_widens_when_its_first_trial_is_measured(looks, tmp_path):
    """The first trial runs on while others come and go in the slots that it has shown there are."""

    def script(job):
        if job.number == 0:
            Pace(100, 2.0).write(pace_path(job.environment))
            return None
        if job.number == 5:
            one.executor.ended.append(done(0))
        return done(job.number)

    def done(number):
        TrialEvents(tmp_path / str(number)).add("ended", value=1.0)
        return JobEnd(number, 0)

    slots = MeasuredSlots(SlotPolicy(3, 0, 6), "trial")
    one = controller(tmp_path, executor=lambda: PretendedExecutor(script), slots=slots)
    one.run()
    assert [job.slot for job in one.executor.jobs] == [0, 1, 2, 1, 2, 1]
    (line,) = one.observer.notes
    assert line.startswith("3 slots: ")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_memory_is_that_of_a_job_and_its_children():
    grow = "x = bytearray(30_000_000); print(flush=True); input()"
    code = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {grow!r}]); {grow}; p.wait()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    ) as process:
        assert (process.stdout.readline(), process.stdout.readline()) == (b"\n", b"\n")
        used = bytes_of_groups({process.pid, os.getpid() + 10**7})
        os.killpg(process.pid, signal.SIGKILL)
    assert used.keys() == {process.pid}
    assert 60e6 < used[process.pid] < 200e6
    end = time.monotonic() + 10  # the child is gone a moment after its parent
    while bytes_of_groups({process.pid}) and time.monotonic() < end:
        time.sleep(0.05)
    assert bytes_of_groups({process.pid}) == {}
    assert free_bytes() > 60e6


def system(folder, available=None, **group):
    for name, content in {**({"proc/meminfo": available} if available else {}), **group}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


MACHINE = "MemTotal: 900 kB\nMemAvailable:   500 kB\n"


@pytest.mark.parametrize(
    ("available", "group", "free"),
    [
        (None, {}, None),
        (MACHINE, {}, 512000),
        (MACHINE, {"memory.max": "max\n", "memory.current": "5\n"}, 512000),
        (MACHINE, {"memory.max": "9000\n", "memory.current": "5000\n"}, 4000),
        (MACHINE, {"memory.max": "9000", "memory.current": "5000", "memory.stat": "anon 7\ninactive_file 300\n"}, 4300),
        (None, {"memory/memory.limit_in_bytes": "9000", "memory/memory.usage_in_bytes": "9500"}, 0),
    ],
)
def test_a_container_may_have_less_memory_than_its_machine(tmp_path, available, group, free):
    files = {f"sys/fs/cgroup/{name}": content for name, content in group.items()}
    assert free_bytes(system(tmp_path, available, **files)) == free
