"""A search of two objectives in a plain Hydra application: killed, continued, and what it leaves."""

import csv
import os
import re
import shlex
import subprocess
import sys
import time

import pytest

from hydra_pruning_sweeper.views import command
from hydra_pruning_sweeper.views.recorded_sweep import open_sweep

APPLICATION = """
import os, signal, time
from pathlib import Path

import hydra
from hydra_pruning_sweeper.trial.handle import current_trial

@hydra.main(version_base="1.3", config_path=None, config_name="app")
def main(config):
    trial = current_trial()
    trial.report(1, config.x)
    once = Path("killed")
    if trial.number == 1 and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if trial.number == 3 and not Path("third").exists():
        Path("third").touch()
        time.sleep(config.pause)
    trial.report(2, float("nan") if trial.number == 4 and config.diverges else config.x, last=True)
    return config.x**2 + config.y, (config.x - 2) ** 2 + config.y

if __name__ == "__main__":
    main()
"""
ENDS = (
    "from pathlib import Path\n\n\ndef keep(folder, best):\n    Path('ended').write_text(repr((str(folder), best)))\n"
)
CONFIG = "x: 0.5\ny: 0\npause: 0\ndiverges: true\n"
GOAL = "hydra.sweeper.direction={near 0: minimize, near 2: minimize}"
SEARCH = [
    *("app.py", "--config-dir=.", "-m", "hydra/sweeper=pruning", "x=interval(-1,3)", "y=choice(0,1)", GOAL),
    *("hydra.sweeper.enqueue=[{x: 1.5, y: 1}]", "hydra.sweeper.on_end=ends:keep", "hydra.sweeper.not_compared=[pause]"),
]


def start(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, *SEARCH, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def make(folder):
    folder.mkdir()
    (folder / "app.py").write_text(APPLICATION)
    (folder / "ends.py").write_text(ENDS)
    (folder / "app.yaml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The folder of an application whose search was killed during trial 3 and typed again, and what that printed."""
    folder = make(tmp_path_factory.mktemp("pareto") / "application")
    first = start(folder, "hydra.sweeper.n_trials=6", "pause=60")
    end = time.monotonic() + 120
    while not (folder / "third").exists() and first.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    assert first.poll() is None, first.communicate()
    first.kill()
    first.communicate()
    second = start(folder, "hydra.sweeper.n_trials=6")
    shown, errors = second.communicate(timeout=120)
    assert second.returncode == 0, shown + errors
    return folder, shown


def rows(folder):
    with (folder / "multirun/app/trials.csv").open() as file:
        return list(csv.DictReader(file))


def front(folder):
    """The numbers of the trials that no other one dominates, by the file of trials."""
    values = {row["trial"]: (float(row["near 0"]), float(row["near 2"])) for row in rows(folder) if row["near 0"]}
    return [
        int(number)
        for number, (a, b) in values.items()
        if not any((c, d) != (a, b) and c <= a and d <= b for c, d in values.values())
    ]


def test_the_search_has_all_trials_with_both_values(searched):
    folder, shown = searched
    states = ["complete"] * 4 + ["pruned", "complete"]
    assert [row["state"] for row in rows(folder)] == states
    for row in rows(folder):
        x, y = float(row["x"]), float(row["y"])
        values = [] if row["state"] == "pruned" else [x**2 + y, (x - 2) ** 2 + y]
        assert [float(row[name]) for name in ("near 0", "near 2") if row[name]] == pytest.approx(values)
    assert (rows(folder)[0]["x"], rows(folder)[0]["y"]) == ("0.5", "0")  # the configuration as it is
    assert (rows(folder)[1]["x"], rows(folder)[1]["y"]) == ("1.5", "1")  # by hand
    assert "minimize near 0, minimize near 2" in shown
    assert "trial   3  continued: " in shown
    assert "trial   4  pruned after 1: diverged" in shown


def test_a_search_that_was_killed_ends_as_one_that_was_not(searched, tmp_path):
    folder, _ = searched
    whole = make(tmp_path / "application")
    (whole / "killed").touch()
    undisturbed = start(whole, "hydra.sweeper.n_trials=6")
    undisturbed.communicate(timeout=120)
    kept = ("trial", "state", "near 0", "near 2", "x", "y")
    assert [[row[name] for name in kept] for row in rows(folder)] == [
        [row[name] for name in kept] for row in rows(whole)
    ]


def test_each_pareto_trial_has_a_file_and_a_line_that_runs_it(searched):
    folder, shown = searched
    numbers = front(folder)
    assert 1 < len(numbers) < 5
    study = folder / "multirun/app"
    assert sorted(path.name for path in (study / "pareto").iterdir()) == [f"trial_{number}.yaml" for number in numbers]
    assert not (study / "best.yaml").exists()
    (listed,) = re.findall(r"^best +\d Pareto trials \((.*)\); see multirun/app/summary.md$", shown, re.MULTILINE)
    assert listed == ", ".join(map(str, numbers))
    lines = re.findall(r"^trial (\d) \(near 0=.*, near 2=.*\): run it with (.*)$", shown, re.MULTILINE)
    assert [int(number) for number, _ in lines] == numbers
    summary = (study / "summary.md").read_text()
    assert "| trial | near 0 | near 2 | steps | x | y |" in summary
    assert [f"    {line}" in summary for _, line in lines] == [True] * len(lines)
    line = [sys.executable, *shlex.split(lines[-1][1])[1:], "--cfg", "job"]
    row = rows(folder)[numbers[-1]]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=True)
    assert f"x: {row['x']}\n" in done.stdout


def test_the_user_s_function_gets_all_pareto_trials(searched):
    folder, _ = searched
    assert (folder / "ended").read_text() == repr(("multirun/app", front(folder)))


def test_commands_show_the_front(searched, capsys, monkeypatch):
    folder, _ = searched
    monkeypatch.chdir(folder)
    sweep, numbers = open_sweep(folder / "multirun/app"), front(folder)
    command.status(sweep)
    table = capsys.readouterr().out
    assert re.findall(r"^ *(\d) \*", table, re.MULTILINE) == list(map(str, numbers))
    assert table.split("\n")[0].split() == ["trial", "state", "step", "near", "0", "near", "2", "x", "y"]
    command.best(sweep)
    assert [int(line.split()[1]) for line in capsys.readouterr().out.splitlines()] == numbers
    pytest.importorskip("matplotlib")
    command.plot(sweep)
    drawn = ["pareto", "curves", "importance_1", "importance_2", "slots"]
    assert [line.rpartition("/")[2] for line in capsys.readouterr().out.split()] == [f"{name}.png" for name in drawn]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("hydra/sweeper/pruner=median", "trials of several objectives are not pruned"),
        ("hydra/sweeper/sampler=cmaes", "CmaEsSampler knows a single objective only: type hydra/sweeper/sampler=tpe"),
        (
            "hydra.sweeper.direction=minimize",
            "study app has direction minimize, minimize, but this search has minimize",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(searched, typed, said):
    folder, _ = searched
    done = start(folder, typed)
    shown, errors = done.communicate(timeout=60)
    assert (done.returncode, shown) == (2, "")
    assert " ".join(errors.split()).startswith("error: ") and said in errors


def test_a_task_that_returns_one_number_says_what_is_missing(tmp_path):
    folder = make(tmp_path / "application")
    text = (folder / "app.py").read_text()
    (folder / "app.py").write_text(re.sub(r"return .*", "return config.x", text))
    done = start(folder, "hydra.sweeper.n_trials=1", "hydra.sweeper.max_retry=0")
    shown, errors = done.communicate(timeout=60)
    assert done.returncode == 1
    assert "failed after 2: the task must return 2 numbers, for near 0, near 2, but returned 0.5" in shown + errors
