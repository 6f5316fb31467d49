"""`seqlab-report`: a page of what there is, or a word on what to run first."""

import shutil
import sys

import pytest
from support import ROOT


def test_where_nothing_is_it_says_what_to_run_first(command, tmp_path):
    command("report").stopped(2, "make reproduce")
    assert list(tmp_path.iterdir()) == []


def test_a_fresh_clone_has_its_page(command, tmp_path):
    shutil.copytree(ROOT / "outputs/reference", tmp_path / "outputs/reference")
    out = command("report", "output=page.html").succeeded().out
    assert "open page.html in a browser" in out
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('id="diagram-') >= 8
    assert 'id="claim-R"' in page and "Reversal with Bahdanau attention" in page


@pytest.mark.parametrize("typed", ["runs=[outputs/runs/x]", "runs=outputs/runs/x"])
def test_folders_that_hold_no_run_are_named(command, typed):
    command("report", typed).stopped(2, "outputs/runs/x", "no finished run")


@pytest.mark.parametrize("module", ["jinja2", "markupsafe"])
def test_a_library_of_the_report_that_is_missing_is_named(command, monkeypatch, module):
    for name in [name for name in sys.modules if name.startswith("seqlab.reporting.page")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    command("report").stopped(
        2, f"report needs {module}, which is not installed; type ", "pip install -e '", "[report]'"
    )
