"""What a claim came to: its verdict, and what is kept of its runs."""

import json
from dataclasses import replace

import numpy as np
import pytest
from support import ROOT

from seqlab.reproduction.claim import Claim, Criterion, Group
from seqlab.reproduction.criteria import Results
from seqlab.reproduction.reference import all_seconds, reference, verdict

BLEU = "metrics.test.free_running/token_bleu"


def digest(seed, bleu=20.0, **more):
    return {
        "seed": seed,
        "metrics": {"test": {"free_running/token_bleu": bleu, "free_running/chrf": None if seed == 2 else 40.0}},
        "seconds": {"fit": 3.0, "all": 5.123456789},
        "environment": {"threads": 1},
        "settings": {"seed": seed},
        "samples": [{"source": "somebody's sentence"}],
        "correct": [0, 1],
        **more,
    }


def claim(*bounds, own_data=False, compared=()):
    groups = tuple(Group(label, label, ("model=gru",), (1, 2)) for label in "ab")
    arguments = [{"of": "a", "figure": BLEU, "bound": bound} for bound in bounds]
    criteria = tuple(Criterion(f"criterion {i}", "at_least", one) for i, one in enumerate(arguments))
    columns = {BLEU: "BLEU", "parameters": "parameters"}
    return Claim(
        "X", "cpu", "a title", "a text", "a source", groups, criteria,
        columns=columns, own_data=own_data, compared=compared,
    )  # fmt: skip


def groups(a=(1, 2), b=(1, 2), **more):
    return {label: Results([digest(seed, **more) for seed in own], 2) for label, own in (("a", a), ("b", b))}


@pytest.mark.parametrize(
    ("bounds", "a", "word", "why"),
    [
        ((19, 20), (1, 2), "holds", None),
        ((19, 21), (1, 2), "does not hold", "criterion 1"),
        ((19,), (1,), "not comparable", "1 of 2 runs of a"),
        ((19, 20), (), "not comparable", "no finished run of a"),
    ],
)
def test_a_claim_holds_if_all_its_criteria_do(bounds, a, word, why):
    came = verdict(claim(*bounds), groups(a))
    assert (came.word, came.why) == (word, why)


def test_the_time_of_a_step_is_that_of_runs_that_had_their_cores_to_themselves():
    timed = replace(claim(19), columns={"milliseconds_a_step": "ms per step"})
    waited = {1: 0.1, 2: 2.5}
    runs = [digest(seed, steps=50, training={"seconds": 5.0, "waited": waited[seed]}) for seed in (1, 2)]
    content = reference(timed, {label: Results(runs, 2) for label in "ab"})
    assert content["groups"][0]["figures"]["milliseconds_a_step"]["values"] == [100.0]


def test_figures_are_spreads_over_seeds_and_what_one_run_lacks_is_left_out():
    content = reference(claim(19), groups())
    (group, _) = content["groups"]
    assert group["metrics"] == {"test": {"free_running/token_bleu": {"mean": 20.0, "sd": 0.0, "values": [20.0, 20.0]}}}
    assert list(group["figures"]) == [BLEU]
    assert group["command"] == "seqlab-train -m model=gru seed=1,2"
    assert (group["seeds"], content["seconds"], content["verdict"]) == ([1, 2], 20.4938, "holds")


def test_a_cost_is_of_the_runs_that_recorded_it():
    content = reference(
        replace(claim(19), columns={"mebibytes": "MiB", "training.peak_memory": "bytes"}),
        {label: Results([digest(1), digest(2, training={"peak_memory": 3 * 2**20})], 2) for label in "ab"},
    )
    assert content["groups"][0]["figures"] == {"mebibytes": {"mean": 3.0, "sd": 0.0, "values": [3.0]}}


def test_all_seconds_are_those_of_runs_and_searches():
    content = {"seconds": 10.0, "groups": [{}, {"search": {"seconds": 4.0}}, {"search": {"seconds": 0.5}}]}
    assert all_seconds(content) == 14.5


@pytest.mark.parametrize("own_data", [True, False])
def test_somebody_elses_sentences_and_what_is_heavy_are_not_kept(own_data):
    content = reference(claim(19, own_data=own_data), groups())
    runs = content["groups"][0]["runs"]
    assert [("settings" in run, "samples" in run, "correct" in run) for run in runs] == [
        (True, own_data, False),
        (False, False, False),
    ]
    assert ("somebody" in json.dumps(content)) is own_data


def test_of_a_curve_is_kept_what_is_plotted():
    curve = [{"step": 3, "val/teacher_forced/loss": 2.0, "val/teacher_forced/perplexity": 7.4, "train/objective": 1.0}]
    run = reference(claim(19), groups(curve=curve))["groups"][0]["runs"][0]
    assert run["curve"] == [{"step": 3, "val/teacher_forced/loss": 2.0}]


def test_a_claim_that_was_partly_run_says_so():
    content = reference(claim(19), groups(b=()), "2 of 4 runs are not there")
    assert content["partial"] == "2 of 4 runs are not there"
    assert content["groups"][1]["seeds"] == []
    assert "seconds" in content["groups"][1]


def test_pairs_of_groups_are_compared_by_the_statistics_of_their_sentences():
    """Unigrams all right against all wrong: one BLEU is above the other on every test set."""
    good, bad = np.array([[9, 9, *[9, 8, 7, 6] * 2]] * 7), np.array([[9, 9, *[1, 1, 1, 1], *[9, 8, 7, 6]]] * 7)
    own = groups()
    for label, statistics in (("a", bad), ("b", good)):
        for one in own[label].digests:
            one |= {"bleu_statistics": statistics.tolist(), "test_set": "same"}
    (test,) = reference(claim(19, compared=[["a", "b"]]), own)["significance"]
    assert (test["a"], test["b"], test["metric"]) == ("a", "b", "token BLEU")
    assert test["difference"] > 0
    assert test["p"] < 0.01


def test_every_compared_group_is_tested_against_the_best_of_them():
    """`d` has no run yet; the pair of `b` and `c`, the best, is one of the claim's."""
    labels = "abcd"
    some = {label: Results([digest(seed) for seed in (1, 2)] if label != "d" else [], 2) for label in labels}
    for label, right in (("a", 1), ("b", 2), ("c", 3)):
        for one in some[label].digests:
            one |= {"correct": [1] * right + [0] * (3 - right), "test_set": "same"}
    several = replace(
        claim(19, compared=[["a", "b"], ["b", "c"], ["c", "d"]]),
        groups=tuple(Group(label, label, ("model=gru",), (1, 2)) for label in labels),
    )
    tests = reference(several, some)["significance"]
    assert [(one["a"], one["b"]) for one in tests] == [("a", "b"), ("b", "c"), ("a", "c")]
    assert tests[-1]["difference"] == pytest.approx(2 / 3, abs=1e-6)


@pytest.mark.parametrize("path", sorted((ROOT / "outputs/reference").glob("*.json")), ids=lambda path: path.stem)
def test_committed_results_hold_no_folder_of_a_machine_and_name_their_code(path):
    text = path.read_text(encoding="utf-8")
    content = json.loads(text)
    assert content["environment"]["commit"]
    places = [f"/{name}/" for name in ("home", "tmp", "work", "root")]
    assert not [start for start in ('"/', *places) if start in text]
    assert len(text) < 1_000_000


def test_a_power_law_is_kept_to_be_drawn():
    sizes = {"a": (1e12, 4.0), "b": (4e12, 2.0)}
    some = {
        label: Results([digest(seed, bleu, training={"flops": flops}) for seed in (1, 2)], 2)
        for label, (flops, bleu) in sizes.items()
    }
    law = Criterion("it falls", "power_law", {"lines": {"gru": ["a", "b"]}, "x": "teraflops", "y": BLEU})
    content = reference(replace(claim(), criteria=(law,), columns={}), some)
    (kept,) = content["power_laws"]
    assert {key: kept[key] for key in ("text", "x", "y")} == {"text": "it falls", "x": "teraflops", "y": BLEU}
    (line,) = kept["lines"]
    assert (line["name"], line["groups"], line["constant"], line["exponent"]) == ("gru", ["a", "b"], 4.0, 0.5)
    assert content["groups"][1]["figures"]["teraflops"]["mean"] == 4.0, "what is drawn is kept, column or not"
    assert "power_laws" not in reference(claim(19), groups())
