"""From the files of `outputs/` to the page."""

import json
import sys
from types import SimpleNamespace

import pytest
from reporting.page.made_up import claim_c, sweep, write_references

from seqlab.errors import InputError
from seqlab.reporting.page import sweeps
from seqlab.reporting.page.report import write_report


def test_references_alone_make_a_page(tmp_path, capsys):
    write_references(tmp_path, claim_c(), sweep())
    diagram = '<svg role="img"><title>parts of a gru</title></svg>'
    write_report(tmp_path, None, tmp_path / "report.html", lambda: {"gru": diagram})
    assert "12 runs in 4 settings, 1 claims, 1 sweeps" in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert diagram in page
    assert page.lstrip().startswith("<!doctype html>") and page.rstrip().endswith("</html>")


def test_nothing_is_written_of_nothing(tmp_path):
    with pytest.raises(InputError):
        write_report(tmp_path, None, tmp_path / "report.html", draw=lambda: pytest.fail("drawn for nothing"))
    assert not list(tmp_path.iterdir())


def test_a_sweep_is_kept_as_a_reference(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sweeps, "digest_sweep", lambda folder: {**sweep(), "folder": str(folder)})
    made_with = SimpleNamespace(code=lambda: "c0de", commit=lambda: None)  # the real one imports Lightning
    monkeypatch.setitem(sys.modules, "seqlab.training.environment", made_with)
    monkeypatch.setattr(sys, "argv", ["sweeps", "outputs/sweeps/made_up", str(tmp_path / "made_up.json")])
    sweeps.main()
    assert "5 trials of made_up kept" in capsys.readouterr().out
    kept = json.loads((tmp_path / "made_up.json").read_text(encoding="utf-8"))
    assert kept["best"] == 2 and kept["code"] == "c0de"
