"""README's results come from what the claims came to."""

import json

import pytest
from support import ROOT

from seqlab.errors import InputError
from seqlab.reporting.readme import results, with_results

REFERENCE = {
    "claim": "X",
    "profile": "cpu",
    "title": "a title",
    "text": "A text.",
    "source": "a source",
    "verdict": "not comparable",
    "why": "1 of 2 runs of a",
    "partial": "1 of 2 runs are not there",
    "criteria": [{"text": "either | or", "expected": "5", "measured": "7.0 ± 0.1", "holds": None}],
    "columns": {"epochs": "epochs", "steps": "steps"},
    "groups": [
        {
            "label": "a",
            "title": "some runs",
            "seeds": [1, 3],
            "expected_runs": 3,
            "figures": {"epochs": {"mean": 2.5, "sd": 0.5, "values": [2, 3]}},
            "seconds": {"mean": 50.4, "sd": 3.0, "values": [47.4, 53.4]},
        },
        {"label": "b", "title": "none", "seeds": [], "expected_runs": 1, "figures": {}, "seconds": None},
    ],
    "environment": {"device": "cpu", "threads": 1, "torch": "2.13.0", "commit": "0123"},
    "seconds": 100.8,
}


def test_a_claim_has_a_row_of_all_claims_its_criteria_and_its_figures(tmp_path):
    (tmp_path / "X.json").write_text(json.dumps(REFERENCE))
    text = results(tmp_path)
    assert (
        "| **X** a title | not comparable: 1 of 2 runs of a | 2 of 4 | 2 min | `make reproduce-X` |"
        in text.splitlines()
    )
    assert "| either \\| or | 5 | 7.0 ± 0.1 | – |" in text.splitlines()
    assert "| runs | seeds | epochs | seconds a run |" in text.splitlines()  # nobody has steps
    assert "| `a`: some runs | 1, 3 | 2.5 ± 0.5 | 50 ± 3 |" in text.splitlines()
    assert "| `b`: none | none | – | – |" in text.splitlines()
    assert "1 of 2 runs are not there." in text


def test_another_profile_and_a_part_of_another_claim_say_how_they_are_run(tmp_path):
    (tmp_path / "X_full.json").write_text(json.dumps({**REFERENCE, "profile": "full", "part_of": "C"}))
    assert "| **X (full)** a title |" in results(tmp_path)
    assert "`make reproduce-C PROFILE=full`" in results(tmp_path)


def test_results_go_between_their_marks_and_again():
    text = "a\n<!-- results: written by `make results` -->\nold\n<!-- end of results -->\nb\n"
    once = with_results(text, "new\n")
    assert once == "a\n<!-- results: written by `make results` -->\n\nnew\n\n<!-- end of results -->\nb\n"
    assert with_results(once, "new\n") == once
    with pytest.raises(InputError, match="mark where results go"):
        with_results("no marks", "")


def test_a_file_that_is_no_claim_is_named(tmp_path):
    (tmp_path / "X.json").write_text("{}")
    with pytest.raises(InputError, match=r"X\.json: not what a claim came to"):
        results(tmp_path)


def test_readme_shows_the_committed_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_results(readme, results(ROOT / "outputs/reference")) == readme, "run `make results`"
