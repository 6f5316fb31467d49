"""Processes that are forked, watched, and end with whoever started them."""

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
from sweeper_support.simulation import path

from hydra_pruning_sweeper.errors import ExecutionError
from hydra_pruning_sweeper.execution.executor import ForkExecutor, Job, JobEnd, why_failed
from hydra_pruning_sweeper.execution.slots import slot_environment, slot_threads
from hydra_pruning_sweeper.study.lease import is_running, start_of
from hydra_pruning_sweeper.trial.events import LOG

SCRIPT = """
import os, sys, time
print("out", sys.argv, os.environ.get("GIVEN"), os.getcwd(), flush=True)
print("err", file=sys.stderr)
what = sys.argv[1] if len(sys.argv) > 1 else ""
if what == "exit": sys.exit(int(sys.argv[2]))
if what == "words": sys.exit("in words")
if what == "raise": raise KeyError("gone")
if what == "sleep": time.sleep(60)
if what == "save":
    import signal
    def save(number, frame):
        print("saves", flush=True)
        time.sleep(0.5)
        print("saved", flush=True)
        sys.exit(5)
    signal.signal(signal.SIGTERM, save)
    print("ready", flush=True)
    time.sleep(60)
if what == "leave":
    import subprocess
    print("child", subprocess.Popen(["sleep", "60"]).pid, flush=True)
if what == "child":
    import subprocess
    print("child", subprocess.Popen(["sleep", "60"]).pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def executor(tmp_path):
    """An executor that runs the script above."""
    (tmp_path / "script.py").write_text(SCRIPT)
    one = ForkExecutor(str(tmp_path / "script.py"), "program", environment=path())
    yield one
    one.close()


def run(executor, folder, number, *arguments, **environment):
    child = executor.start(Job(number, arguments, folder / str(number), environment))
    return child, folder / str(number) / LOG


def are_gone(*processes):
    """Whether the processes end within some seconds: those that are killed with their parent do so a moment later."""
    end = time.monotonic() + 10
    while any(is_running(one, None) for one in processes) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(is_running(one, None) for one in processes)


def ended(executor, count=1):
    found = []
    while len(found) < count:
        found += executor.wait(20)
        assert found
    return sorted(found, key=lambda one: one.number)


def test_a_job_is_what_a_user_would_have_typed(executor, tmp_path):
    _, log = run(executor, tmp_path, 7, "a=1", "b='x y'", GIVEN="here")
    assert ended(executor) == [JobEnd(7, 0)]
    line, out, err = log.read_text().splitlines()
    assert shlex.split(line) == ["$", "program", "a=1", "b='x y'"]
    assert out == f"""out ['{tmp_path / "script.py"}', 'a=1', "b='x y'"] here {os.getcwd()}"""  # noqa: PTH109
    assert err == "err"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [(("exit", "3"), 3, "err"), (("words",), 1, "in words"), (("raise",), 1, "KeyError: 'gone'")],
)
def test_it_says_how_a_job_ended(executor, tmp_path, arguments, code, said):
    _, log = run(executor, tmp_path, 1, *arguments)
    assert ended(executor) == [JobEnd(1, code)]
    assert log.read_text().splitlines()[-1] == said


def test_a_killed_job_ends_with_its_signal_and_its_own_children(executor, tmp_path):
    child, log = run(executor, tmp_path, 1, "child")
    while not log.is_file() or "child" not in log.read_text().partition("err")[2]:
        time.sleep(0.05)
    grandchild = int(log.read_text().split()[-1])
    assert is_running(grandchild, None)
    executor.signal(1, signal.SIGKILL)
    assert ended(executor) == [JobEnd(1, -9)]
    assert are_gone(child, grandchild)


def test_what_a_job_leaves_behind_ends_with_it(executor, tmp_path):
    _, log = run(executor, tmp_path, 1, "leave")
    assert ended(executor) == [JobEnd(1, 0)]
    assert are_gone(int(log.read_text().split()[-1]))


def test_when_the_server_dies_its_jobs_die_and_the_next_one_gets_another(executor, tmp_path):
    children = [run(executor, tmp_path, number, "sleep")[0] for number in (1, 2)]
    os.kill(executor._server._process.pid, signal.SIGKILL)
    assert [(one.number, one.code) for one in ended(executor, 2)] == [(1, None), (2, None)]
    assert are_gone(*children)
    run(executor, tmp_path, 3, "exit", "4")
    assert ended(executor) == [JobEnd(3, 4)]


def test_when_the_executor_closes_its_jobs_end(executor, tmp_path):
    child, _ = run(executor, tmp_path, 1, "sleep")
    started = start_of(child)
    executor.close()
    time.sleep(0.2)
    assert not is_running(child, started)


def test_jobs_may_save_their_state_when_the_executor_closes_and_are_stopped_once(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    one = ForkExecutor(str(tmp_path / "script.py"), "program", environment=path(), stop_signal=signal.SIGTERM)
    _, log = run(one, tmp_path, 1, "save")
    while not log.is_file() or "ready" not in log.read_text():
        time.sleep(0.05)
    one.close()
    assert log.read_text().split("ready\n")[1] == "saves\nsaved\n"


def test_a_job_that_has_just_been_started_can_be_stopped(executor, tmp_path):
    for number in range(20):
        run(executor, tmp_path, number, "sleep")
        executor.signal(number, signal.SIGKILL)
        assert ended(executor) == [JobEnd(number, -signal.SIGKILL)]


def test_jobs_inherit_a_file_as_long_as_they_live(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        one = ForkExecutor(str(tmp_path / "script.py"), "program", environment=path(), inherited=[file.fileno()])
        run(one, tmp_path, 1, "sleep")
    with (tmp_path / "lock").open("w") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        one.close()
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_cannot_be_imported_beforehand_is_named():
    with pytest.raises(ExecutionError, match=r"preload: no_such_thing cannot be imported \(ModuleNotFoundError"):
        ForkExecutor("x", "x", ["json", "no_such_thing"]).prepare()


PARENT = """
import signal, sys
from hydra_pruning_sweeper.execution.executor import ForkExecutor
one = ForkExecutor("x", "x", ["slow"])
{end}
one.prepare()
"""
SLOW = """
import os, pathlib, time
pathlib.Path("server").write_text(str(os.getpid()))
time.sleep(60)
"""


@pytest.mark.parametrize("end", ["the server", "the parent", "Ctrl-C"])
def test_a_server_that_still_imports_can_be_ended(tmp_path, end):
    (tmp_path / "slow.py").write_text(SLOW)
    environment = path() | {"PYTHONPATH": f"{tmp_path}:{path()['PYTHONPATH']}"}
    close = "signal.signal(signal.SIGINT, lambda *_: (one.close(), sys.exit()))" if end == "Ctrl-C" else ""
    parent = subprocess.Popen([sys.executable, "-c", PARENT.format(end=close)], cwd=tmp_path, env=environment)
    try:
        while not (tmp_path / "server").is_file() or not (tmp_path / "server").read_text():
            time.sleep(0.05)
        server = int((tmp_path / "server").read_text())
        ended = server if end == "the server" else parent.pid
        os.kill(ended, {"the server": signal.SIGTERM, "the parent": signal.SIGKILL, "Ctrl-C": signal.SIGINT}[end])
        parent.wait(timeout=20)
        assert are_gone(server)
    finally:
        parent.kill()


def test_no_server_starts_before_it_is_needed():
    one = ForkExecutor("x", "x", ["no_such_thing"])
    one.signal(1, signal.SIGKILL)
    one.close()
    assert one.wait(0.0) == []


def test_a_signal_or_code_is_why_where_the_log_is_silent(tmp_path):
    ends = {JobEnd(1, -15): "killed by signal 15", JobEnd(1, 2): "exit code 2", JobEnd(1, None, "gone"): "gone"}
    assert {end: why_failed(end, tmp_path / LOG) for end in ends} == ends


@pytest.mark.parametrize("entry", ["{folder}/script.py", "script", "made:main"])
def test_a_job_may_be_a_script_a_module_or_a_function(tmp_path, entry):
    (tmp_path / "script.py").write_text("import sys\nif __name__ == '__main__': print('ran', sys.argv[1])\n")
    (tmp_path / "made.py").write_text("import sys\ndef main():\n    print('ran', sys.argv[1])\n")
    search = {"PYTHONPATH": f"{tmp_path}:{path()['PYTHONPATH']}"}
    one = ForkExecutor(entry.format(folder=tmp_path), "program", environment=search)
    _, log = run(one, tmp_path, 1, "well")
    assert ended(one) == [JobEnd(1, 0)]
    one.close()
    assert log.read_text().endswith("ran well\n")


def test_cores_and_cards_are_divided_among_slots(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(7)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [slot_threads(slots) for slots in (1, 2, 3, 9)] == [7, 3, 2, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert [slot_threads(slots) for slots in (1, 5)] == [2, 1]
    assert slot_environment(0, 3, [])["OMP_NUM_THREADS"] == "3"
    assert "CUDA_VISIBLE_DEVICES" not in slot_environment(0, 3, [])
    cards = [slot_environment(slot, 1, ["2", "5"])["CUDA_VISIBLE_DEVICES"] for slot in range(3)]
    assert cards == ["2", "5", "2"]


def test_a_job_that_is_started_again_has_a_process_of_its_own(executor, tmp_path):
    first, _ = run(executor, tmp_path, 4)
    ended(executor)
    second, _ = run(executor, tmp_path, 4, "sleep")
    assert second != first
    assert is_running(second, start_of(second))
    os.kill(second, signal.SIGKILL)
    assert ended(executor) == [JobEnd(4, -signal.SIGKILL)]
