"""What the page says of sweeps."""

import optuna
from runs.made_up_sweep import write_sweep

from hydra_pruning_sweeper.study.journal import journal_storage
from seqlab.reporting.page.sweeps import figures, pauses
from seqlab.runs.sweep_digest import digest_sweep


def test_pauses_and_promotions_are_kept_and_shown(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    study = optuna.load_study(study_name="made_up", storage=journal_storage(folder / "journal.log"))
    waited = [{"step": 1, "paused": 5.0, "promoted": 7.0}, {"step": 3, "paused": 9.0, "promoted": None}]
    study.ask().set_user_attr("pauses", waited)
    trials = digest_sweep(folder)["trials"]
    assert [pauses(one) for one in trials] == ["", "", "", "after 1, promoted, after 3"]


def test_the_rungs_are_explained_as_the_search_used_them(tmp_path):
    folder = write_sweep(tmp_path / "sweep")
    digest = digest_sweep(folder)
    trials = [{**one, "reported": {"1": 1.5, "3": 1.25}} for one in digest["trials"]]

    def notes(**changed):
        return {one.title: one.note for one in figures({**digest, "trials": trials, **changed})}

    assert "rungs (after 1, 3 validations), where a trial is stopped" in notes(rungs=[1, 3])["Curves"]
    waiting = [{**trials[0], "pauses": [{"step": 1, "promoted": True}]}, *trials[1:]]
    assert "where a trial is paused unless it is among the best" in notes(rungs=[1, 3], trials=waiting)["Curves"]
    assert "rungs" not in notes(rungs=[])["Curves"]
