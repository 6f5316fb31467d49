"""The check of a GPU goes through all its parts on any machine, whatever becomes of one of them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import ROOT

import benchmarks.__main__
from benchmarks import gpu_check
from benchmarks.gpu_check import Check, Findings, Part, first_error, step_checks
from benchmarks.harness import Row, Spread, StepTimes


def works(dry):
    return Findings([Check("a step", "≤ 8 ms", "7.5 ms", True), Check("another", "≤ 3 ms", "4.0 ms", False)])


def raises(dry):
    raise ValueError("some noise\nerror: no such file\nmore noise")


def dies(dry):
    os._exit(3)


def hangs(note, dry):
    note.write_text(str(subprocess.Popen(["sleep", "100"]).pid), encoding="utf-8")
    time.sleep(100)


def is_running(process):
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_part_that_fails_is_written_and_the_rest_goes_on(tmp_path):
    note, written = tmp_path / "pid", []

    def looks(dry):
        written.append(json.loads((tmp_path / "gpu_check.json").read_text(encoding="utf-8")))
        return Findings([Check("parts before", "", str(len(written[0]["parts"])))])

    parts = [
        Part("first", 60.0, works),
        Part("wrong", 60.0, raises),
        Part("dead", 60.0, dies),
        Part("slow", 2.0, lambda dry: hangs(note, dry)),
        Part("last", 60.0, looks),
    ]
    report = gpu_check.run(parts, False, tmp_path)
    assert report == json.loads((tmp_path / "gpu_check.json").read_text(encoding="utf-8"))
    assert [part["error"] for part in report["parts"]] == [
        None,
        "ValueError: error: no such file",
        "its process ended with code 3",
        "no end after 2 s",
        None,
    ]
    assert report["parts"][-1]["checks"][0]["measured"] == "4"  # each part is written when it ends
    assert not is_running(note.read_text(encoding="utf-8"))  # what it started has ended with it
    lines = (tmp_path / "gpu_check.md").read_text(encoding="utf-8").splitlines()
    assert "| a step | ≤ 8 ms ✓ | 7.5 ms |" in lines
    assert "| another | ≤ 3 ms ✗ | 4.0 ms |" in lines
    assert any(line.startswith("- failed: slow, after ") and line.endswith("no end after 2 s") for line in lines)


def test_parts_that_no_time_is_left_for_fail(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_check, "SECONDS", 0.0)
    (part,) = gpu_check.run([Part("late", 60.0, hangs)], False, tmp_path)["parts"]
    assert part["error"] == "no end after 0 s"


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("a\nTraceback (most recent call last):\n  File\nKeyError: 'b'\n", "KeyError: 'b'"),
        ("warning: c\n\nerror: no GPU\nerror: another\n", "error: no GPU"),
        ("Killed\n", "Killed"),
        ("", "no output"),
    ],
)
def test_the_first_line_with_an_error_is_kept(output, line):
    assert first_error(output) == line


def step_row(**different):
    known = {"model": "luong", "precision": "float32", "textbook": 144.0, "eager": 29.0, "replayed": 3.6, "run": 6.0}
    steps = StepTimes(**{**known, "busy": 0.5, "graphs": 20, **different})
    return Row("luong", "training", "textbook", "tokens/s", Spread(1, 1, 1), aim="≤ 8 ms a step", met=True, steps=steps)


def test_a_step_is_held_against_its_aims():
    time_aim, ratio, busy = step_checks(step_row())
    assert (time_aim.aim, time_aim.met, ratio.measured, ratio.met) == ("≤ 8 ms a step", True, "24.0 ×", True)
    assert (busy.aim, busy.measured, busy.met) == ("≥ 60%", "50%", False)


def test_kernels_of_short_steps_need_not_fill_them():
    assert [check.aim for check in step_checks(step_row(model="gpt", replayed=1.0))] == ["≤ 8 ms a step"]


def test_a_model_that_is_not_captured_misses():
    assert [check.met for check in step_checks(step_row(not_captured="it asks", busy=None))] == [True, True, False]


def test_without_a_gpu_it_says_so_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(gpu_check, "isolated", lambda function: None)
    monkeypatch.setattr(gpu_check.workloads, "prepare_process", lambda: None)
    monkeypatch.setattr(sys, "argv", ["gpu_check"])
    with pytest.raises(SystemExit) as ended:
        gpu_check.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no GPU" in line


def test_the_benchmarks_of_a_gpu_need_one(monkeypatch):
    monkeypatch.setattr(benchmarks.__main__, "isolated", lambda function: None)
    monkeypatch.setattr(benchmarks.__main__.workloads, "prepare_process", lambda: None)
    monkeypatch.setattr(sys, "argv", ["bench", "--device", "cuda"])
    with pytest.raises(SystemExit, match="error: no GPU that this torch can use"):
        benchmarks.__main__.main()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_parts_run_on_any_machine_at_toy_size(tmp_path):
    """With made-up data."""
    modules = os.pathsep.join(map(str, (ROOT / "tests", ROOT / "src")))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu_check", "--dry-run", "--output", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": modules, "SEQLAB_DATA": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "gpu_check.json").read_text(encoding="utf-8"))
    assert [part["name"] for part in report["parts"]] == [part.name for part in gpu_check.parts()]
    assert all(part["checks"] for part in report["parts"])
    table = (tmp_path / "gpu_check.md").read_text(encoding="utf-8")
    assert "| `transformer`, float32 |" in table
    assert "2 trials of `reversal_bahdanau`" in table
