"""The table of a study's trials can be read on a narrow terminal, and by a program."""

import io

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from rich.console import Console

from hydra_pruning_sweeper.study.record import SweepRecord
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.views import command, trial_table
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep
from hydra_pruning_sweeper.views.trial_table import short_names

NAMES = ["model.width", "model.layers", "model.dropout", "optimizer.lr", "optimizer.weight_decay", "data.batch_size"]


@pytest.fixture
def made(tmp_path):
    """A sweep of a complete and a pruned trial with as many parameters as `count` says."""

    def make(count):
        store = StudyStorage(str(tmp_path / "journal.log"))
        study = optuna.create_study(study_name="s", storage=store.storage)
        for number, state in enumerate((TrialState.COMPLETE, TrialState.PRUNED)):
            params = dict.fromkeys(NAMES[:count], (number + 1) * 0.0001234567)
            kinds = {name: FloatDistribution(0, 1) for name in params}
            study.add_trial(create_trial(state=state, value=0.5, params=params, distributions=kinds))
        return RecordedSweep(SweepRecord("s", store.url, "minimize", 9), tmp_path, store)

    return make


@pytest.fixture
def printed(monkeypatch):
    """The lines that `status` prints of a sweep on a terminal of a given width."""

    def run(sweep, width):
        file = io.StringIO()
        terminal = lambda **how: Console(file=file, force_terminal=True, color_system=None, width=width, **how)  # noqa: E731
        monkeypatch.setattr(trial_table, "Console", terminal)
        command.status(sweep)
        return file.getvalue().splitlines()

    return run


def test_few_parameters_have_columns_with_their_whole_names(made, printed):
    lines = printed(made(2), 80)
    assert lines[0].split() == ["trial", "state", "step", "value", "model.width", "model.layers"]
    assert lines[1].split() == ["0", "*", "complete", "0", "0.5", "0.0001235", "0.0001235"]
    assert lines[3:] == ["", "2 of 9 trials finished, 0 failed; best: 0.5 (trial 0)"]


def test_names_are_shortened_where_that_suffices(made, printed):
    sweep = made(4)
    assert printed(sweep, 80)[0].split()[4:] == ["width", "layers", "dropout", "lr"]
    assert printed(sweep, 110)[0].split()[4:] == NAMES[:4]


def test_more_parameters_than_fit_are_shown_in_parts(made, printed):
    sweep = made(6)
    short = ["width", "layers", "dropout", "lr", "weight_decay", "batch_size"]
    lines = [line.split() for line in printed(sweep, 80)]
    first, second = (part for part in (lines[:3], lines[4:7]))
    assert first[0] + second[0][1:] == ["trial", "state", "step", "value", *short]
    assert first[1] + second[1][2:] == ["0", "*", "complete", "0", "0.5", *["0.0001235"] * 6]
    assert (first[2][:2], second[2][0]) == (["1", "pruned"], "1")
    assert max(map(len, printed(sweep, 80))) <= 80
    wide = printed(sweep, 110)
    assert wide[0].split()[4:] == short
    assert max(map(len, wide)) <= 110


def test_a_pipe_gets_a_line_per_trial_with_all_columns(made, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    command.status(made(6))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["trial", "state", "step", "value", *NAMES]
    assert lines[1] == ["0", "*", "complete", "0", "0.5", *["0.0001235"] * 6]
    assert lines[2] == ["1", "pruned", "0", "0.5", *["0.0002469"] * 6]
    assert lines[3] == []


def test_without_a_complete_trial_none_is_best_yet(tmp_path, capsys):
    store = StudyStorage(str(tmp_path / "journal.log"))
    study = optuna.create_study(study_name="s", storage=store.storage)
    study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={"command": {"config_name": "train"}}))
    command.status(RecordedSweep(SweepRecord("s", store.url, "minimize", 9), tmp_path, store))
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "0 of 9 trials finished, 1 failed; best: none yet",
        "trial 0 failed: no reason is recorded",
    ]


def test_a_short_name_is_the_name_of_one_parameter():
    assert short_names(["model.width", "a.lr", "b.lr", "lr"]) == {
        "model.width": "width",
        "a.lr": "a.lr",
        "b.lr": "b.lr",
        "lr": "lr",
    }
    assert short_names([]) == {}
