"""What is found is read and put together: references, runs of them, runs of others, sweeps."""

import pytest
from reporting.page.made_up import digest, reference, replay, sweep, write_references, write_run

from seqlab.errors import InputError
from seqlab.reporting.page.sources import gather


def read(outputs, digests, runs=None, sweeps=None):
    """Gathers with `digests`: folder → digest."""
    return gather(outputs, runs, digests.__getitem__, (sweeps or {}).__getitem__)


def test_nothing_says_what_to_run_first(tmp_path):
    with pytest.raises(InputError, match="nothing to report yet; run `make reproduce`") as raised:
        read(tmp_path, {})
    assert raised.value.exit_code == 2


def test_a_folder_that_was_named_must_hold_runs(tmp_path):
    with pytest.raises(InputError, match="elsewhere holds no finished run"):
        read(tmp_path, {}, runs=[tmp_path / "elsewhere"])


def test_runs_that_a_reference_was_made_from_are_one_group_with_it(tmp_path):
    runs = {
        write_run(tmp_path, "reproduce", "C", "gru", str(seed)): digest(seed=seed, bleu=20.0 + seed) for seed in (1, 2)
    }
    thinned = [{key: value for key, value in run.items() if key != "samples"} for run in runs.values()]
    write_references(tmp_path, reference("C", {"gru": thinned}))
    (group,) = read(tmp_path, runs).groups
    assert group.live and not group.own and group.seeds == [1, 2] and "samples" in group.runs[0]
    assert list(group.folders) == list(runs)


@pytest.mark.parametrize("change", [{"bleu": 21.5}, {"seed": 3}])
def test_other_runs_of_a_claim_stand_beside_its_reference(tmp_path, change):
    runs = {write_run(tmp_path, "reproduce", "C", "gru", "1"): digest(**change)}
    write_references(tmp_path, reference("C", {"gru": [digest()]}))
    first, second = read(tmp_path, runs).groups
    assert (first.own, second.own) == (False, True) and first.id != second.id


def test_profiles_of_a_claim_stand_apart_and_what_was_set_aside_is_left_out(tmp_path):
    places = ("reproduce", "reproduce_full", "reproduce_aside")
    runs = {write_run(tmp_path, place, "C", "gru", "1"): digest() for place in places}
    write_references(tmp_path, reference("C", {"gru": [digest()]}, profile="full"))
    material = read(tmp_path, runs)
    assert [(one.profile, one.own, one.folders[0].parts[-4]) for one in material.groups] == [
        ("full", False, "reproduce_full"),
        ("cpu", True, "reproduce"),
    ]
    assert material.group("C", "gru").profile == "full"


def test_runs_group_by_what_was_typed_but_the_seed(tmp_path):
    runs = {}
    for number, (model, seed) in enumerate([("gru", 2), ("bahdanau", 1), ("gru", 1)]):
        typed = {"model": model, "seed": str(seed)}
        runs[write_run(tmp_path, "multiruns", "some", str(number))] = digest(
            model, seed, overrides=typed, command=f"seqlab-train model={model} seed={seed}"
        )
    groups = read(tmp_path, runs).groups
    assert [(one.architecture, one.seeds, one.own) for one in groups] == [
        ("gru", [1, 2], False),
        ("bahdanau", [1], False),
    ]
    assert groups[0].command == "seqlab-train -m model=gru seed=1,2"
    assert groups[1].command == "seqlab-train model=bahdanau seed=1"


def test_named_folders_stand_in_place_of_those_below_outputs(tmp_path):
    write_run(tmp_path, "runs", "left", "out")
    runs = {write_run(tmp_path, "elsewhere", "1"): digest()}
    assert [one.folders for one in read(tmp_path, runs, runs=[tmp_path / "elsewhere"]).groups] == [tuple(runs)]


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_shown(tmp_path):
    runs = {write_run(tmp_path, "runs", "gru", "a"): digest()}
    write_run(tmp_path, "runs", "gru", "b")
    material = read(tmp_path, runs)
    assert len(material.groups) == 1 and len(material.unread) == 1 and "runs/gru/b" in material.unread[0]


def test_a_sweep_that_is_here_takes_the_place_of_its_reference(tmp_path):
    write_references(tmp_path, sweep())
    folder = tmp_path / "sweeps" / "made_up"
    folder.mkdir(parents=True)
    (folder / "sweep.json").write_text("{}", encoding="utf-8")
    here = {**sweep(), "best": 0}
    assert [one["best"] for one in read(tmp_path, {}, sweeps={folder: here}).sweeps] == [0]


def test_a_file_that_is_no_reference_is_named(tmp_path):
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "C.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"C\.json: no reference result"):
        read(tmp_path, {})


def test_searches_on_recorded_curves_are_read_if_there_are_any(tmp_path):
    write_references(tmp_path, sweep())
    assert read(tmp_path, {}).replay is None
    write_references(tmp_path, replay())
    assert read(tmp_path, {}).replay == replay()


def test_significance_of_a_reference_holds_both_ways_round(tmp_path):
    groups = {"gru": [digest("gru")], "bahdanau": [digest("bahdanau", bleu=25.0)]}
    test = {
        "a": "gru",
        "b": "bahdanau",
        "metric": "token BLEU",
        "difference": 5.0,
        "p": 0.01,
        "interval": [4, 7],
        "samples": 1000,
    }
    write_references(tmp_path, reference("C", groups, [test]))
    material = read(tmp_path, {})
    gru, bahdanau = material.groups
    assert material.significance(gru, bahdanau, "token BLEU")["difference"] == 5.0
    turned = material.significance(bahdanau, gru, "token BLEU")
    assert turned["difference"] == -5.0 and turned["interval"] == [-7, -4]
    assert material.significance(gru, bahdanau, "exact match") is None


def test_runs_that_are_here_are_tested_now(tmp_path):
    right = {"gru": [1, 0, 0] * 31, "bahdanau": [1, 1, 1] * 31}
    runs = {
        write_run(tmp_path, "runs", model, "1"): digest(
            model, overrides={"model": model}, correct=correct, test_set="the same"
        )
        for model, correct in right.items()
    }
    bahdanau, gru = read(tmp_path, runs).groups
    test = read(tmp_path, runs).significance(gru, bahdanau, "exact match")
    assert test["difference"] == pytest.approx(2 / 3) and test["p"] < 0.01
