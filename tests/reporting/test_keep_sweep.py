"""A sweep becomes a committed reference."""

import json
import sys
from types import SimpleNamespace

from reporting.page.made_up import sweep

from seqlab.reporting import keep_sweep


def test_a_sweep_is_kept_as_a_reference(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(keep_sweep, "digest_sweep", lambda folder: {**sweep(), "folder": str(folder)})
    monkeypatch.setattr("seqlab.code_hash.code", lambda: "c0de")
    made_with = SimpleNamespace(commit=lambda: None)  # the real one imports Lightning
    monkeypatch.setitem(sys.modules, "seqlab.training.provenance", made_with)
    monkeypatch.setattr(sys, "argv", ["keep_sweep", "outputs/sweeps/made_up", str(tmp_path / "made_up.json")])
    keep_sweep.main()
    assert "5 trials of made_up kept" in capsys.readouterr().out
    kept = json.loads((tmp_path / "made_up.json").read_text(encoding="utf-8"))
    assert kept["best"] == 2 and kept["code"] == "c0de"
