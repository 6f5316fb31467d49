"""`result.json`: it is written as it is read, and what does not fit is named."""

import json

import pytest

from seqlab.errors import InputError
from seqlab.runs.result import RunResult, compared_split

FULL = {
    "name": "a",
    "command": "seqlab-train seed=3",
    "seed": 3,
    "data": "de→en of multi30k",
    "examples": {"train": 29, "val": 7},
    "measured": {"train": 11, "val": 7},
    "leakage": {
        "val": {"sources": {"sentences": 7, "copies": 0.25, "ngrams": {"5": 0.5, "10": None}, "nearest": None}}
    },
    "parameters": 13,
    "trained_parameters": 11,
    "steps": 20,
    "epochs": 2,
    "weights": "average",
    "averaged_steps": [10, 20],
    "seconds": {"fit": 1.5, "measure": 0.5, "all": 2.0},
    "training": {"tokens": 300, "seconds": 1.25, "flops": 5e12, "tokens_per_second": 240.0, "peak_memory": 5},
    "identity": {"data": {"kind": "Parallel", "splits": {"train": "aa"}}, "model": {"kind": "GRU", "shapes": "bb"}},
    "resumed": [{"step": 10, "epochs": 1, "changed": {"optimizer.lr": [0.1, 0.2]}, "code": None}],
    "precision": "32-true",
    "precision_seconds": {"32-true": 0.01},
    "cuda_graphs": {"steps": 20, "replayed": 16, "graphs": 2, "seconds": 0.25, "lengths_rounded_to": 4},
    "environment": {"seqlab": "0.1.0", "commit": None, "code": "cc", "hydra-core": "1.3.8", "threads": 1},
    "signatures": {"bleu": "nrefs:1"},
    "generation": {"beam": {"outputs": 7, "seconds": 0.5, "waited": None, "per_second": 14.0}},
    "metrics": {"val": {"teacher_forced/loss": 2.0, "teacher_forced/perplexity": None}},
    "settings": {"name": "a", "seed": 3, "model": {"width": [5, 7]}, "resume": None},
}
BARE = {"name": "a", "seed": 1, "metrics": {"val": {}}}


def run_with(tmp_path, content):
    (tmp_path / "result.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def test_a_result_is_written_as_it_was_read(tmp_path):
    result = RunResult.read(run_with(tmp_path, FULL))
    assert json.dumps(result.as_json()) == json.dumps(FULL)  # the order of keys, too
    assert (result.seconds.all, result.training.teraflops, result.identity.model["kind"]) == (2.0, 5.0, "GRU")
    assert (result.code, result.metric("val", "teacher_forced/loss"), result.leaked()) == ("cc", 2.0, 0.25)


def test_every_part_but_name_seed_and_metrics_may_be_missing_and_others_may_be_there(tmp_path):
    for missing in FULL.keys() - BARE.keys():
        RunResult.read(run_with(tmp_path, {key: value for key, value in FULL.items() if key != missing}))
    result = RunResult.read(run_with(tmp_path, {**BARE, "later": {"a": 1}, "seconds": {"fit": 1.5, "later": 1}}))
    assert (result.seconds.fit, result.seconds.all, result.steps, result.settings) == (1.5, None, None, {})
    assert (result.code, result.metric("test", "x"), result.leaked()) == (None, None, None)


@pytest.mark.parametrize("missing", BARE)
def test_a_result_without_what_every_run_has_is_refused(tmp_path, missing):
    content = {key: value for key, value in FULL.items() if key != missing}
    with pytest.raises(InputError, match=f"result.json: expected '{missing}' in it"):
        RunResult.read(run_with(tmp_path, content))


@pytest.mark.parametrize("key", FULL)
def test_another_kind_in_place_of_any_part_is_refused_and_its_key_named(tmp_path, key):
    refused = 0
    for odd in ([], {}, "x", 3, 1.5, None, True, [[1]], {"a": {"b": []}}):
        try:
            RunResult.read(run_with(tmp_path, {**FULL, key: odd}))
        except InputError as problem:
            assert f"result.json: {key}" in str(problem)
            refused += 1
    assert refused >= 6


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            {"metrics": {"val": {"teacher_forced/loss": "1"}}},
            'metrics.val.teacher_forced/loss: expected a number, but found "1"',
        ),
        ({"metrics": {}}, "metrics: expected something in it, but found {}"),
        ({"seconds": {"fit": None}}, "seconds.fit: expected a number, but found null"),
        ({"identity": {"data": []}}, "identity.data: expected a mapping, but found []"),
        (
            {"resumed": [{"step": 1, "changed": {"a": [1]}}]},
            "resumed.0.changed.a: expected a list of two, but found [1]",
        ),
        ({"leakage": {"val": {"a": 3}}}, "leakage.val.a: expected a mapping, but found 3"),
        ({"environment": {"code": {}}}, "environment.code: expected a single value, but found {}"),
    ],
)
def test_the_key_is_named(tmp_path, part, message):
    with pytest.raises(InputError) as raised:
        RunResult.read(run_with(tmp_path, {**BARE, **part}))
    assert str(raised.value) == f"{tmp_path}/result.json: {message}"


def leaked(leakage):
    return RunResult(name="a", seed=1, metrics={"val": {}}, leakage=leakage).leaked()


def test_of_several_sides_the_largest_share_leaks():
    sides = {"sources": {"copies": 0.25}, "targets": {"copies": 0.5}, "pairs": {"copies": None}}
    assert leaked({"val": sides, "test": {"targets": {"copies": 1.0}}}) == 0.5
    assert leaked({"val": {"pairs": {"copies": None}}}) is leaked({}) is None


@pytest.mark.parametrize(
    ("splits", "split"),
    [(("train", "val", "test"), "test"), (("train", "val"), "val"), (("train",), "train"), ((), "")],
)
def test_the_split_that_counts_is_the_one_that_was_looked_at_least(splits, split):
    assert RunResult(name="a", seed=1, metrics={one: {} for one in splits}).main_split == split


def test_runs_are_compared_on_a_split_that_all_of_them_have():
    both, one = (
        RunResult(name="a", seed=1, metrics={split: {} for split in some}) for some in (("val", "test"), ("val",))
    )
    assert [compared_split(results) for results in ([both, both], [both, one], [])] == ["test", "val", "val"]
