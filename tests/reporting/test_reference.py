"""Runs of several seeds as one file, and README's table from it."""

import json

import pytest
from seqlab.reporting.reference import collect, spread
from support import ROOT

from seqlab.errors import InputError
from seqlab.reporting.readme import results, with_results


def write_runs(folder, values, **changes):
    for i, value in enumerate(values):
        run = {
            "name": "some",
            "seed": i + 1,
            "examples": {"train": 7},
            "measured": {"train": 7},
            "parameters": 11,
            "epochs": 2,
            "weights": "best",
            "precision": "32-true",
            "seconds": {"fit": 3.0},
            "environment": {"threads": 2, "torch": "2.13.0", "commit": "0123456789abcdef"},
            "metrics": {"val": {"free_running/exact_match": value}},
            "settings": {"name": "some", "seed": i + 1, **changes.get(f"run{i}", {})},
        }
        (folder / str(i)).mkdir()
        (folder / str(i) / "result.json").write_text(json.dumps(run))


def test_mean_and_spread_over_seeds(tmp_path):
    write_runs(tmp_path, [0.5, 0.75, 1.0])
    content = collect(tmp_path)
    assert content["seeds"] == [1, 2, 3]
    assert content["metrics"]["val"]["free_running/exact_match"] == {
        "mean": 0.75,
        "sd": 0.25,
        "values": [0.5, 0.75, 1.0],
    }


def test_a_single_value_has_no_spread():
    assert spread([2.0]) == {"mean": 2.0, "sd": 0.0, "values": [2.0]}


def test_runs_of_other_settings_are_refused(tmp_path):
    write_runs(tmp_path, [0.5, 0.6], run1={"width": 9})
    with pytest.raises(InputError, match="differ in more than their seed"):
        collect(tmp_path)


def test_no_runs_are_refused(tmp_path):
    with pytest.raises(InputError, match="no finished runs"):
        collect(tmp_path)


def test_the_table_goes_between_its_marks(tmp_path):
    write_runs(tmp_path, [0.5, 1.0])
    reference = tmp_path / "reference"
    reference.mkdir()
    (reference / "some.json").write_text(json.dumps(collect(tmp_path)))
    text = "a\n<!-- results: written by `make results` -->\nold\n<!-- end of results -->\nb\n"
    written = with_results(text, results(reference))
    assert "| exact match, free-running | 75.00% ± 35.36% |" in written
    assert "old" not in written
    assert written.startswith("a\n")
    assert written.endswith("\nb\n")
    assert with_results(written, results(reference)) == written
    with pytest.raises(InputError, match="mark where results go"):
        with_results("no marks", "")


def test_readme_shows_the_committed_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_results(readme, results(ROOT / "outputs/reference")) == readme, "run `make results`"


def test_claim_r_holds_in_the_committed_results():
    reference = json.loads((ROOT / "outputs/reference/claim_R.json").read_text(encoding="utf-8"))
    assert len(reference["seeds"]) == 5
    for split in ("train", "val", "test"):
        assert reference["metrics"][split]["free_running/token_accuracy_with_filler"]["mean"] >= 0.97
