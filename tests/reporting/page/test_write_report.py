"""From the files of `outputs/` to the page."""

import json
import sqlite3

import optuna
import pytest
from reporting.page.made_up import claim_c, sweep, write_references

from hydra_pruning_sweeper.study.journal import journal_storage
from hydra_pruning_sweeper.study.record import SweepRecord
from seqlab.errors import InputError
from seqlab.reporting.page.write_report import write_report


def test_references_alone_make_a_page(tmp_path, capsys):
    write_references(tmp_path, claim_c(), sweep())
    diagram = '<svg role="img"><title>parts of a gru</title></svg>'
    write_report(tmp_path, None, tmp_path / "report.html", lambda: {"gru": diagram})
    assert "12 runs in 4 settings, 1 claim, 1 sweep\n" in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert diagram in page
    assert page.lstrip().startswith("<!doctype html>") and page.rstrip().endswith("</html>")


def test_nothing_is_written_of_nothing(tmp_path):
    with pytest.raises(InputError):
        write_report(tmp_path, None, tmp_path / "report.html", draw=lambda: pytest.fail("drawn for nothing"))
    assert not list(tmp_path.iterdir())


def test_folders_of_others_are_listed_and_left_as_they_are(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    """A sweep that names another program's database, odd results, a link where the digest goes."""
    write_references(tmp_path, claim_c())
    with sqlite3.connect(tmp_path / "anothers.db") as connection:
        connection.execute("CREATE TABLE precious (x)")
    record = {"study": "a", "storage": f"sqlite:///{tmp_path}/anothers.db", "direction": "minimize", "trials": 3}
    for name, content in {
        "sweeps/a/sweep.json": json.dumps(record),
        "runs/a/1/result.json": '{"name": "a", "seed": 1, "metrics": {"val": {"loss": 1e999}}}',
        "runs/\x1b[31m/1/result.json": "[",
        "runs/b/1/result.json": '{"name": "<script>", "seed": 1, "metrics": {"val": {"teacher_forced/loss": 2}}}',
        "runs/c/1/result.json": '{"name": "\\ud800", "seed": 1, "metrics": {"val": {"teacher_forced/loss": 2}}}',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(content, encoding="utf-8")
    (tmp_path / "runs/b/1/digest.json").symlink_to(tmp_path / "anothers.db")
    before = (tmp_path / "anothers.db").read_bytes()
    write_report(tmp_path, None, tmp_path / "report.html")
    assert (tmp_path / "anothers.db").read_bytes() == before
    printed = capsys.readouterr().out
    assert "13 runs in 5 settings, 1 claim, 0 sweeps\n" in printed and "\x1b" not in printed
    unread = [line for line in printed.splitlines() if line.startswith("not read: ")]
    assert len(unread) == 4 and any(r"runs/\x1b[31m/1/result.json: not JSON" in line for line in unread)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no journal.log here" in page and "<script>," not in page


def test_a_sweep_with_a_journal_is_shown_as_the_users(tmp_path, capsys):
    folder = tmp_path / "sweeps" / "mine"
    folder.mkdir(parents=True)
    SweepRecord("mine", "elsewhere", "minimize", 3, program="seqlab-train").write(folder)
    study = optuna.create_study(study_name="mine", storage=journal_storage(folder / "journal.log"))
    study.optimize(lambda trial: trial.suggest_categorical("a", ["[red]", "<b>"]) == "<b>", n_trials=3)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    write_report(tmp_path, None, tmp_path / "report.html")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "mine (yours)</span> nothing by pruning: none of 3 trials was stopped early." in page
    assert "<b>" not in page
