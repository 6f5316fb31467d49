"""What a sweep leaves to be read, to be run, and to be mended."""

import csv
import io

import pytest
from omegaconf import OmegaConf
from optuna.trial import TrialState
from sweeper_support.simulation import SPACE

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.execution.outcome import SlotUse
from hydra_pruning_sweeper.run_sweep import use_notes
from hydra_pruning_sweeper.study.record import SweepRecord
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.search_spec import SearchSpec
from hydra_pruning_sweeper.study.shared_study import SharedStudy
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.study.trial_command import TrialCommand
from hydra_pruning_sweeper.trial.events import log_of
from hydra_pruning_sweeper.views import command
from hydra_pruning_sweeper.views.recorded_sweep import open_sweep
from hydra_pruning_sweeper.views.sweep_plots import importances, write_plots

FIXED = [
    "+sweeps=mine",
    "data=anki",
    "tokenizer@_global_.tokenizer=word",
    "trainer.max_epochs=7",
    "name='x y'",
    "~callbacks.outlook",
]


GROUPS = ["sweeps", "data", "tokenizer@_global_.tokenizer"]


@pytest.fixture
def sweep(tmp_path):
    """A sweep of eight trials: complete, pruned, failed, running."""
    store = StudyStorage(str(tmp_path / "journal.log"))
    space = Space([*SPACE, parameter("+deep.down", "choice(a, 'b c')")])
    line = TrialCommand("train", ["--config-dir=conf"], ["measure=false"], FIXED, groups=GROUPS)
    shared_study = SharedStudy(
        store, "mine", "minimize", space, Rules(9, retries=0, failures=1.0), search=SearchSpec({"settings": {}}, line)
    )
    for number in range(9):
        leased = shared_study.take()
        if number < 8:
            shared_study.storage.set_trial_intermediate_value(shared_study._id(number), 1, 5.0 - number)
        if number < 6:
            shared_study.tell(number, TrialState.COMPLETE, 4.0 - number)
        elif number == 6:
            shared_study.tell(number, TrialState.PRUNED)
        elif number == 7:
            shared_study.tell(number, TrialState.FAIL, error='no, "really" not')
        assert leased.number == number
    record = SweepRecord(
        "mine", store.url, "minimize", 9, rungs=[1, 3], program="/bin/some-train", fixed=["of=the last controller"]
    )
    record.write(tmp_path)
    return open_sweep(tmp_path)


def test_every_tie_for_best_is_marked(sweep, capsys, monkeypatch):
    trials = sweep.trials()
    best = sweep.best_trials()[0].value
    trials[1].value = best
    monkeypatch.setattr(sweep, "trials", lambda: trials)
    command.status(sweep)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if " *" in line] == ["1", "5"]


def test_the_best_is_exported_as_a_configuration(sweep, capsys):
    command.run("best", sweep.folder)
    text = (sweep.folder / "best.yaml").read_text()
    best = sweep.trials()[5]
    content = OmegaConf.to_container(OmegaConf.create(text))
    assert content.pop("defaults") == [
        *("train", {"sweeps": "mine"}, {"override data": "anki"}, {"override tokenizer@_global_.tokenizer": "word"}),
        "_self_",
    ]
    assert content == {
        "trainer": {"max_epochs": 7},
        "name": "x y",
        "x": best.params["x"],
        "width": best.params["width"],
        "deep": {"down": best.params["deep.down"]},
    }
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith(
        f"run it with some-train --config-dir={sweep.folder} --config-name=best 'hydra.searchpath=[file://"
    )
    assert line.endswith("/conf]' ~callbacks.outlook") or line.endswith("/conf]' '~callbacks.outlook'")


def test_the_table_of_trials(sweep):
    command.run("best", sweep.folder)
    rows = list(csv.DictReader(io.StringIO((sweep.folder / "trials.csv").read_text())))
    assert [row["state"] for row in rows] == ["complete"] * 6 + ["pruned", "fail", "running"]
    assert rows[7]["error"] == 'no, "really" not'
    assert [row["value"] for row in rows[:7]] == ["4.0", "3.0", "2.0", "1.0", "0.0", "-1.0", "-1.0"]
    summary = (sweep.folder / "summary.md").read_text()
    assert "6 trials complete, 1 pruned, 1 failed, 1 running, of 9; 8 validations in all. Pruned after 1, 3." in summary
    assert summary.index("| 5 |") < summary.index("| 0 |") < summary.index("| 6 (pruned) |")


def test_status_shows_where_each_trial_stands(sweep, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    command.run("status", sweep.folder)
    out = capsys.readouterr().out
    assert "5 *" in out
    assert "7 of 9 trials finished, 1 failed" in out
    assert [word for word in ("complete", "pruned", "fail", "running") if word not in out] == []


def test_a_failed_trial_is_marked_to_be_tried_again(sweep, capsys):
    command.run("retry", sweep.folder)
    assert "1 trial (7) will be tried again" in capsys.readouterr().out
    search = SearchSpec({"settings": {}})
    store = StudyStorage(sweep.store.url)
    shared_study = SharedStudy(
        store, "mine", "minimize", Space(SPACE), Rules(9, retries=0, failures=1.0), search=search
    )
    leased = shared_study.take()
    assert shared_study.trials()[leased.number].user_attrs["retry_of"] == 7
    assert leased.values == shared_study.trials()[7].params
    with pytest.raises(UsageError, match=r"no trial has failed"):
        command.run("retry", sweep.folder)


def test_repair_says_what_it_did(sweep, capsys):
    command.run("repair", sweep.folder)
    with (sweep.folder / "journal.log").open("ab") as file:
        file.write(b"torn")
    command.run("repair", sweep.folder)
    assert capsys.readouterr().out.splitlines()[0] == "nothing is damaged"


def test_plots_are_written_where_there_is_enough(sweep):
    assert {path.stem for path in write_plots(sweep)} == {"history", "curves", "importance", "coordinates"}
    assert set(importances(sweep)) == {"x", "width", "deep.down"}


@pytest.mark.parametrize(
    ("action", "folder", "match"),
    [
        ("status", "nowhere", "no sweep here"),
        ("dance", "nowhere", "but is 'dance'"),
        ("repair", "nowhere", "no sweep"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, action, folder, match):
    with pytest.raises(UsageError, match=match):
        command.run(action, tmp_path / folder)


def test_a_storage_with_a_password_must_be_named_again(sweep):
    SweepRecord("mine", "postgresql://me:…@host/db", "minimize", 9).write(sweep.folder)
    with pytest.raises(UsageError, match=r"postgresql://me:…@host/db, which is opened only .* add storage="):
        open_sweep(sweep.folder)
    assert open_sweep(sweep.folder, sweep.store.url).best_trials()[0].number == 5


def test_the_time_before_a_trial_s_first_step_is_not_laid_on_the_sweep_alone():
    used = SlotUse(
        started=0.0,
        last_started=10.0,
        spans=[(0, 8), (2, 12), (10, 50)],
        overheads=[(1.5, 0.5), (1.25, 0.25), (9.0, 9.0)],
    )
    assert use_notes(used, 2) == [
        "Slots were in use 80.0% of the time.",
        "A trial takes 1.50 s from ask to first step, which includes what any run does before training"
        " (its configuration, data and model), and 0.50 s from last step to tell (medians).",
    ]


def test_a_log_is_named_where_there_is_one(tmp_path):
    assert log_of(tmp_path, 3) == ""
    (tmp_path / "3").mkdir()
    (tmp_path / "3/log.txt").touch()
    assert log_of(tmp_path, 3) == f" ({tmp_path}/3/log.txt)"
