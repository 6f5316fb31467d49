"""What a sweep says about itself in words: its page, its table, its state."""

import csv
import io

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from hydra_pruning_sweeper.study.lease import ATTRIBUTE, Lease
from hydra_pruning_sweeper.study.record import SweepRecord, read_record
from hydra_pruning_sweeper.study.rules import RETRY_OF
from hydra_pruning_sweeper.study.shared_study import ERROR
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.views import command
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep
from hydra_pruning_sweeper.views.sweep_summary import summary, trials_csv

KINDS = {"x": FloatDistribution(0, 1), "cell": CategoricalDistribution(["gru", "lstm"])}


@pytest.fixture
def made(tmp_path):
    """A sweep of seven trials: complete, pruned, failed for good, tried again, running and left alone."""

    def make(direction="minimize", rungs=(1, 3)):
        store = StudyStorage(str(tmp_path / direction / "journal.log"))
        study = optuna.create_study(study_name="s", storage=store.storage, direction=direction)
        left = {ATTRIBUTE: Lease("me", "here", 1, None, held=False).as_attribute()}
        rows = [
            (TrialState.COMPLETE, 0.123456, {"x": 0.5, "cell": "gru"}, {}),
            (TrialState.PRUNED, 0.0625, {"x": 0.25, "cell": "lstm"}, {}),
            (TrialState.COMPLETE, 2.0, {"x": 0.75, "cell": "lstm"}, {}),
            (TrialState.FAIL, None, {"x": 0.5, "cell": "gru"}, {ERROR: "[x] no"}),
            (TrialState.FAIL, None, {"x": 0.5}, {ERROR: "again", RETRY_OF: 3}),
            (TrialState.RUNNING, None, {"x": 1.0}, left),
        ]
        for state, value, params, attributes in rows:
            study.add_trial(
                create_trial(
                    state=state,
                    value=value,
                    params=params,
                    distributions={name: KINDS[name] for name in params},
                    user_attrs=attributes,
                    intermediate_values={} if state == TrialState.FAIL else {1: 3.0, 2: value or 1.0},
                )
            )
        folder = tmp_path / direction
        (folder / "3").mkdir()
        (folder / "3/log.txt").touch()
        return RecordedSweep(SweepRecord("s", store.url, direction, 9, rungs=list(rungs)), folder, store)

    return make


def test_the_page_counts_and_ranks(made):
    sweep = made()
    assert summary(sweep, {0: "seqlab-train --config-name=best"}, ["One note.", "Another."]).split("\n\n") == [
        "# s",
        "2 trials complete, 1 pruned, 2 failed, 1 running, of 9; 8 validations in all. Pruned after 1, 3.",
        "One note. Another.",
        "To run the best:",
        "    seqlab-train --config-name=best",
        "| trial | value | steps | x | cell |\n"
        "| ---: | ---: | ---: | ---: | ---: |\n"
        "| 0 | 0.1235 | 2 | 0.5 | gru |\n"
        "| 2 | 2 | 2 | 0.75 | lstm |\n"
        "| 1 (pruned) | 0.0625 | 2 | 0.25 | lstm |",
        "Failed:",
        f"- trial 3: [x] no ({sweep.folder}/3/log.txt)\n- trial 4: again\n",
    ]


def test_the_page_of_a_sweep_that_maximises_without_rungs(made):
    text = summary(made("maximize", ()), {}, [])
    assert "8 validations in all.\n\n| trial |" in text
    rows = [line.split(" ")[1] for line in text.splitlines() if line.startswith("| ")]
    assert rows == ["trial", "---:", "2", "0", "1"]
    assert "The best" not in text


def test_the_file_has_a_line_a_trial(made):
    rows = [line.split(",") for line in trials_csv(made()).splitlines()]
    assert rows[0] == ["trial", "state", "value", "steps", "seconds", "x", "cell", "retry of", "error"]
    assert [[*row[:4], *row[5:]] for row in rows[1:]] == [
        ["0", "complete", "0.123456", "2", "0.5", "gru", "", ""],
        ["1", "pruned", "0.0625", "2", "0.25", "lstm", "", ""],
        ["2", "complete", "2.0", "2", "0.75", "lstm", "", ""],
        ["3", "fail", "", "0", "0.5", "gru", "", "[x] no"],
        ["4", "fail", "", "0", "0.5", "", "3", "again"],
        ["5", "running", "", "2", "1.0", "", "", ""],
    ]


def test_what_a_trial_noted_has_a_column(made):
    sweep = made()
    storage = sweep.store.storage
    storage.set_trial_user_attr(sweep.trials()[5]._trial_id, "note:accuracy", 0.75)
    rows = list(csv.DictReader(io.StringIO(trials_csv(sweep))))
    assert [row["accuracy"] for row in rows] == ["", "", "", "", "", "0.75"]


@pytest.mark.parametrize(("direction", "best"), [("minimize", 0), ("maximize", 2)])
def test_the_state_of_every_trial(made, capsys, direction, best):
    command.status(made(direction))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    mark = {number: ["*"] if number == best else [] for number in (0, 2)}
    assert lines[:7] == [
        ["trial", "state", "step", "value", "x", "cell"],
        ["0", *mark[0], "complete", "2", "0.1235", "0.5", "gru"],
        ["1", "pruned", "2", "0.0625", "0.25", "lstm"],
        ["2", *mark[2], "complete", "2", "2", "0.75", "lstm"],
        ["3", "fail", "0", "0.5", "gru"],
        ["4", "fail", "0", "0.5"],
        ["5", "waiting", "2", "1", "1"],
    ]
    assert lines[7:8] == [[]]
    assert lines[8][:5] == ["3", "of", "9", "trials", "finished,"]


def test_a_record_comes_back_as_it_was_written(tmp_path):
    bare = SweepRecord("s", "journal.log", "minimize", 5)
    assert (bare.rungs, bare.flags, bare.fixed, bare.program) == ([], [], [], "")
    full = SweepRecord(
        "é", "j", "maximize", 5, rungs=[1, 3], program="p", flags=["--config-dir=x"], fixed=["a=1", "b='ü'"]
    )
    for one in (bare, full):
        one.write(tmp_path)
        assert read_record(tmp_path) == one
