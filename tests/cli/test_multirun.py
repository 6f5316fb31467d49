"""A multirun ends with a table; what goes wrong in one run stays there. (Side by side: test_continued_multirun.py.)"""

import re

import pytest
from processes import unwrapped

TROUBLE = """
from lightning.pytorch import Callback


class Trouble(Callback):
    def __init__(self, comes: bool) -> None:
        self.comes = comes

    def on_train_start(self, trainer, pl_module):
        if self.comes:
            raise KeyError("unforeseen")
"""


@pytest.fixture
def multirun(command, tiny, reversal):
    """Calls `seqlab-train -m` for tiny runs into the folder `all`, one after another in this process."""

    def call(*arguments, **environment):
        settings = (*tiny, *reversal, "model=gru", "hydra/launcher=basic", "hydra.sweep.dir=all", *arguments)
        return command("train", "-m", *settings, COLUMNS="200", **environment)

    return call


def table_of(out):
    """The cells of the table on the screen, row by row."""
    lines = out.splitlines()
    first = next(i for i, line in enumerate(lines) if " tokens/s " in line)
    rows = lines[first + 1 : lines.index("", first)]
    return [[cell.strip() for cell in row.split("  ") if cell] for row in rows]


def test_a_multirun_ends_with_a_table(multirun, tmp_path):
    outcome = multirun("model=gru,lstm", "seed=1,2").succeeded()
    assert outcome.err == ""
    assert [row[:2] for row in table_of(outcome.out)] == [["gru", "2"], ["lstm", "2"]]
    assert outcome.out.endswith("\nkept in all/comparison.md and comparison.csv\n")
    assert "| gru | 2 |" in (tmp_path / "all/comparison.md").read_text(encoding="utf-8")
    heads, gru, lstm = (tmp_path / "all/comparison.csv").read_text(encoding="utf-8").splitlines()
    assert heads.startswith("model,runs,failed,seeds,parameters mean,")
    assert (gru[:12], lstm[:13]) == ("gru,2,0,1 2,", "lstm,2,0,1 2,")


def test_each_run_is_announced_with_its_settings_and_a_warning_reads_like_other_lines(command, tmp_path, tiny):
    pairs = [f"a{number} b\tx{number} y{number} z\n" for number in range(40)]
    (tmp_path / "pairs.tsv").write_text("".join(pairs), encoding="utf-8")
    typed = ("-m", *tiny, "model=gru", "data=anki", "data.path=pairs.tsv", "model.width=8,9", "hydra.sweep.dir=all")
    typed += ("hydra/launcher=basic",)
    outcome = command("train", *typed, COLUMNS="80").succeeded()
    announced = [line for line in outcome.out.splitlines() if re.match(r"run \d ", line)]
    assert [line.split()[:2] for line in announced] == [["run", "0"], ["run", "1"]]
    assert "Launching" not in outcome.out and "[HYDRA]" not in outcome.out + outcome.err
    assert {line[:9] for line in outcome.err.splitlines()} == {"warning: ", " " * 9}
    assert max(map(len, outcome.err.splitlines())) <= 80


def test_a_single_run_makes_no_table(training):
    folder, outcome = training
    assert "comparison" not in outcome.out
    assert [*folder.rglob("comparison*"), *folder.parent.glob("comparison*")] == []


def test_bad_input_of_one_run_does_not_stop_the_others(multirun, tmp_path):
    outcome = multirun("model.width=0,8")
    first, last = unwrapped(outcome.err).splitlines()
    assert (outcome.code, last) == (1, "error: 1 of 2 runs failed")
    assert first.startswith("error: run 0: model: width must be")
    assert (tmp_path / "all/0/error.txt").read_text() == first.removeprefix("error: run 0: ") + "\n"
    assert [row[:2] for row in table_of(outcome.out)] == [["0", "0 of 1"], ["8", "1"]]
    assert "\nfailed: run 0, model.width=0: model: width must be" in outcome.out


def test_each_failure_is_reported_and_counted_at_the_end(multirun):
    outcome = multirun("optimizer=sgd", "trainer.max_epochs=2", "model.width=8,0", "optimizer.lr=3e38,0.01")
    assert outcome.code == 1
    errors = unwrapped(outcome.err).splitlines()
    assert [line[:13] for line in errors[:-1]] == ["error: run 0:", "error: run 2:", "error: run 3:"]
    assert errors[-1] == "error: 3 of 4 runs failed"
    assert "gradient norm" in errors[0]
    assert [row[2] for row in table_of(outcome.out)] == ["0 of 1", "1", "0 of 1", "0 of 1"]


def test_an_unforeseen_error_shows_its_traceback_and_does_not_stop_the_others(multirun, tmp_path):
    (tmp_path / "trouble_maker.py").write_text(TROUBLE)
    trouble = ("+callbacks.trouble._target_=trouble_maker.Trouble", "+callbacks.trouble.comes=true,false")
    outcome = multirun(*trouble)
    assert outcome.code == 1
    assert outcome.err.startswith("Traceback")
    assert outcome.err.endswith("\nerror: run 0: KeyError: 'unforeseen'\nerror: 1 of 2 runs failed\n")
    assert [row[1] for row in table_of(outcome.out)] == ["0 of 1", "1"]


def test_tracebacks_of_bad_input_are_shown_if_asked_for(multirun):
    outcome = multirun("model.width=0,8", HYDRA_FULL_ERROR="1")
    assert outcome.code == 1
    assert "Traceback" in outcome.err
    assert [row[1] for row in table_of(outcome.out)] == ["0 of 1", "1"]


def test_another_multirun_into_the_same_folder_starts_anew(multirun):
    multirun("model.width=8,9").succeeded()
    multirun("model.width=0,7").stopped(2, "overwrite=true")
    outcome = multirun("model.width=0,7", "overwrite=true")
    assert outcome.code == 1
    assert [row[:2] for row in table_of(outcome.out)] == [["0", "0 of 1"], ["7", "1"]]


def test_range_tests_leave_nothing_to_compare(multirun, tmp_path):
    outcome = multirun("find_lr=true", "model=gru,lstm").succeeded()
    assert outcome.err == ""
    assert "comparison" not in outcome.out
    assert not list((tmp_path / "all").glob("comparison*"))


@pytest.fixture
def stopped(apart, tmp_path, tiny, reversal):
    """Calls a multirun of three runs in a process of its own that gets a signal in its second."""

    def call(name):
        signals = (
            "+callbacks.signal._target_=signals.SendSignal",
            f"+callbacks.signal.name={name}",
            f"+callbacks.signal.marker={tmp_path}/sent",
            "+callbacks.signal.step=100000,2,200000",
        )
        return apart(
            "train", "-m", *tiny, *reversal, "model=gru", "hydra/launcher=basic", "hydra.sweep.dir=all", *signals
        )

    return call


def test_a_multirun_that_is_killed_leaves_the_table_of_what_has_ended(stopped, tmp_path):
    assert stopped("SIGKILL").code == -9
    assert not (tmp_path / "all/1/result.json").exists()
    assert "| reversal_gru | 1 |" in (tmp_path / "all/comparison.md").read_text(encoding="utf-8")


def test_ctrl_c_stops_all_runs_and_the_stopped_one_can_be_finished(stopped, apart, process, tmp_path):
    stopped("SIGINT").stopped(130, "resume=all/1")
    assert not (tmp_path / "all/2").exists()
    assert "| reversal_gru | 1 |" in (tmp_path / "all/comparison.md").read_text(encoding="utf-8")

    apart("train", "resume=all/1").succeeded()
    table = process("-m", "seqlab.runs.comparison", "all", COLUMNS="200").succeeded()
    assert [row[:2] for row in table_of(table.out)] == [["100000", "1"], ["2", "1"]]
