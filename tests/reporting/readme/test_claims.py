"""The results in README and in the folder of references come from the reference files."""

import json

import pytest
from reporting.page.made_up import claim_p
from support import ROOT

from seqlab.errors import InputError
from seqlab.reporting.readme.architecture_table import architectures
from seqlab.reporting.readme.claims import (
    BEGIN_ARCHITECTURES,
    END_ARCHITECTURES,
    details,
    read_references,
    summary,
    with_results,
)

REFERENCE = {
    "claim": "X",
    "profile": "cpu",
    "title": "a title",
    "text": "A text.",
    "source": "a source",
    "verdict": "not comparable",
    "why": "1 of 2 runs of a",
    "partial": "1 of 2 runs are not there",
    "criteria": [
        {"text": "either | or", "expected": "5", "measured": "7.0 ± 0.1", "holds": None},
        {"text": "beside it", "expected": "stated", "measured": "8", "holds": True},
    ],
    "columns": {"epochs": "epochs", "steps": "steps"},
    "groups": [
        {
            "label": "a",
            "command": "seqlab-train -m",
            "title": "some runs",
            "seeds": [1, 3],
            "expected_runs": 3,
            "figures": {"epochs": {"mean": 2.5, "sd": 0.5, "values": [2, 3]}},
            "seconds": {"mean": 50.4, "sd": 3.0, "values": [47.4, 53.4]},
            "runs": [
                {
                    **{"name": "a", "seed": seed, "command": "seqlab-train", "metrics": {"val": {}}},
                    **{"environment": {"commit": commit}, "training": {"flops": flops}},
                }
                for seed, commit, flops in ((1, "0123456789abcdef", 2e12), (3, "feed", 4e12))
            ],
        },
        {
            **{"label": "b", "command": "seqlab-train", "title": "none", "seeds": [], "expected_runs": 1},
            **{"figures": {}, "seconds": None, "runs": []},
        },
    ],
    "environment": {"device": "cpu", "threads": 1, "torch": "2.13.0"},
    "seconds": 100.8,
}


def test_readme_has_a_row_for_each_claim(tmp_path):
    (tmp_path / "X.json").write_text(json.dumps(REFERENCE))
    (row,) = summary(read_references(tmp_path)).splitlines()[2:]
    why = "not comparable: 1 of 2 runs of a (2 of 4 runs)"
    assert row == f"| **X** a title. A text. | {why} | `make reproduce-X` |"


def test_a_claim_that_holds_says_by_how_many_criteria(tmp_path):
    criteria = [{**REFERENCE["criteria"][0], "holds": True}, REFERENCE["criteria"][1]]
    (tmp_path / "X.json").write_text(json.dumps({**REFERENCE, "verdict": "holds", "criteria": criteria}))
    assert "| holds, by 1 criterion (2 of 4 runs) |" in summary(read_references(tmp_path))


def test_what_only_states_figures_is_no_claim(tmp_path):
    (tmp_path / "X.json").write_text(json.dumps({**REFERENCE, "criteria": REFERENCE["criteria"][1:]}))
    assert summary(read_references(tmp_path)) == ""


def test_the_details_have_all_criteria_figures_and_commits(tmp_path):
    (tmp_path / "X.json").write_text(json.dumps(REFERENCE))
    text = details(read_references(tmp_path))
    assert "| either \\| or | 5 | 7.0 ± 0.1 | – |" in text.splitlines()
    assert "| beside it | stated | 8 | yes |" in text.splitlines()
    assert "| runs | seeds | epochs | TFLOP of training |" in text.splitlines()  # nobody has steps
    assert "| `a`: some runs | 1, 3 | 2.5 ± 0.5 | 3.0 |" in text.splitlines()
    assert "| `b`: none | none | – | – |" in text.splitlines()
    assert "1 of 2 runs are not there." in text
    assert "commit 0123456789ab, feed." in text


def test_a_claim_that_does_not_hold_is_told_by_its_criteria(tmp_path):
    criteria = [{"text": "a", "expected": "5", "measured": "7", "holds": False}]
    refuted = {**REFERENCE, "verdict": "does not hold", "why": "a", "criteria": criteria}
    (tmp_path / "X.json").write_text(json.dumps(refuted))
    assert "| does not hold: a: 7 (2 of 4 runs) |" in summary(read_references(tmp_path))


def test_another_profile_and_a_part_of_another_claim_say_how_they_are_run(tmp_path):
    (tmp_path / "X_full.json").write_text(json.dumps({**REFERENCE, "profile": "full", "part_of": "C"}))
    text = summary(read_references(tmp_path))
    assert "| **X (full)** a title. A text. |" in text
    assert "`make reproduce-C PROFILE=full`" in text


def test_results_go_between_their_marks_and_again():
    text = "a\n<!-- results: written by `make results` -->\nold\n<!-- end of results -->\nb\n"
    once = with_results(text, "new\n")
    assert once == "a\n<!-- results: written by `make results` -->\n\nnew\n\n<!-- end of results -->\nb\n"
    assert with_results(once, "new\n") == once
    with pytest.raises(InputError, match="mark where results go"):
        with_results("no marks", "")


def test_a_file_that_is_no_claim_is_named(tmp_path):
    (tmp_path / "X.json").write_text("{}")
    with pytest.raises(InputError, match=r"X\.json: expected 'claim' in it"):
        read_references(tmp_path)


def test_the_files_show_the_committed_results():
    folder = ROOT / "outputs/reference"
    readme, all_figures = (path.read_text(encoding="utf-8") for path in (ROOT / "README.md", folder / "README.md"))
    references = read_references(folder)
    assert with_results(readme, summary(references)) == readme, "run `make results`"
    assert with_results(readme, architectures(references), BEGIN_ARCHITECTURES, END_ARCHITECTURES) == readme, (
        "run `make results`"
    )
    assert with_results(all_figures, details(references)) == all_figures, "run `make results`"


def test_what_a_search_cost_stands_beside_the_runs_that_it_was_for():
    search = {"trainings": 8, "trials": {"complete": 3, "pruned": 5}, "epochs": 41, "seconds": 1234.5, "flops": 2.5e12}
    first, second = REFERENCE["groups"]
    text = details({"X.json": {**REFERENCE, "groups": [{**first, "search": search}, second]}})
    assert "| TFLOP of training | search before |" in text
    assert "| 3.0 | 8 trainings (5 pruned), 41 epochs, 1,234 s, 2.5 TFLOP |" in text
    assert "| – | none |" in text
    assert "search before" not in details({"X.json": REFERENCE})


def test_a_power_law_has_a_table_below_the_figures_it_was_fitted_to():
    text = details({"P.json": REFERENCE | {"power_laws": claim_p()["power_laws"]}})
    assert "| `gpt` | 3 | 0.0550 (0.0500 to 0.0600) | −11.9% | 0.990 |" in text
    assert text.index("some runs") < text.index("0.0550") < text.index("least-squares") < text.index("Profile cpu")
