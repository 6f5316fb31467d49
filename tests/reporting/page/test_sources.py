"""What is found is read and put together: references, runs of them, runs of others, sweeps."""

import json

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
    assert group.live and not group.is_users and group.seeds == [1, 2] and "samples" in group.runs[0]
    assert list(group.folders) == list(runs)


@pytest.mark.parametrize("change", [{"bleu": 21.5}, {"seed": 3}])
def test_other_runs_of_a_claim_stand_beside_its_reference(tmp_path, change):
    runs = {write_run(tmp_path, "reproduce", "C", "gru", "1"): digest(**change)}
    write_references(tmp_path, reference("C", {"gru": [digest()]}))
    first, second = read(tmp_path, runs).groups
    assert (first.is_users, second.is_users) == (True, False) and first.id != second.id


def test_profiles_of_a_claim_stand_apart_and_what_was_set_aside_is_left_out(tmp_path):
    places = ("reproduce", "reproduce_full", "reproduce_aside", "reproduce_full_aside")
    runs = {write_run(tmp_path, place, "C", "gru", "1"): digest() for place in places}
    write_references(tmp_path, reference("C", {"gru": [digest()]}, profile="full"))
    material = read(tmp_path, runs)
    assert [(one.profile, one.is_users, one.folders[0].parts[-4]) for one in material.groups] == [
        ("cpu", True, "reproduce"),
        ("full", False, "reproduce_full"),
    ]
    assert material.group("C", "gru").profile == "full"


def test_what_the_user_ran_comes_first_and_then_what_compares_most_architectures(tmp_path):
    alone, several = {"gru": [digest(data="alone")]}, {name: [digest(name)] for name in ("gru", "lstm")}
    write_references(
        tmp_path, reference("C", several), reference("T", alone), reference("R", {"gru": [digest(data="mine")]})
    )
    runs = {write_run(tmp_path, "runs", "gru", "1"): digest(data="mine")}
    groups = [(one.dataset, one.is_users) for one in read(tmp_path, runs).groups]
    assert groups == [("Mine", True), ("Mine", False), *[("Multi30k de→en", False)] * 2, ("Alone", False)]


def test_runs_group_by_what_was_typed_but_the_seed(tmp_path):
    runs = {}
    for number, (model, seed) in enumerate([("gru", 2), ("bahdanau", 1), ("gru", 1)]):
        typed = {"model": model, "seed": str(seed)}
        runs[write_run(tmp_path, "multiruns", "some", str(number))] = digest(
            model, seed, overrides=typed, command=f"seqlab-train model={model} seed={seed}"
        )
    groups = read(tmp_path, runs).groups
    assert [(one.architecture, one.seeds, one.is_users) for one in groups] == [
        ("gru", [1, 2], True),
        ("bahdanau", [1], True),
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
    with pytest.raises(InputError, match=r"C\.json: not JSON .*, and there is nothing else to report"):
        read(tmp_path, {})


def test_a_reference_that_is_odd_is_listed_and_the_others_are_shown(tmp_path):
    write_references(tmp_path, reference("C"), reference("T"), sweep(), replay())
    for name, spoil in {
        "C": {"groups": [{"label": "gru", "command": "a", "runs": [{"name": "a", "seed": "1", "metrics": {}}]}]},
        "sweeps/made_up": {"trials": [{"number": 1}]},
        "replay/replay": {"tasks": []},
    }.items():
        path = tmp_path / "reference" / f"{name}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | spoil), encoding="utf-8")
    material = read(tmp_path, {})
    assert [one["claim"] for one in material.claims] == ["T"] and not material.sweeps and material.replay is None
    assert [line.partition(": ")[2] for line in material.unread] == [
        'groups.0.runs.0.seed: expected a whole number, but found "1"',
        "trials.0: expected 'state' in it, but found [\"number\"]",
        "tasks: expected something in it, but found []",
    ]


@pytest.mark.parametrize("problem", [TypeError("a\nb\x1b[2J"), RecursionError(), ZeroDivisionError("x"), OSError("y")])
def test_whatever_goes_wrong_with_a_run_is_listed_in_one_line(tmp_path, problem):
    def made(folder):
        if folder.name == "1":
            raise problem
        return digest()

    for name in "01":
        write_run(tmp_path, "runs", "gru", name)
    material = gather(tmp_path, None, made, {}.__getitem__)
    assert len(material.groups) == 1
    (line,) = material.unread
    assert line.startswith(f"{tmp_path}/runs/gru/1: {type(problem).__name__}") and line.isprintable()


def of(data="00", model=7, width=256, **more):
    return {
        "identity": {"data": {"files": data, "vocabularies": "11"}, "model": {"source_size": model}},
        "settings": {"model": {"_target_": "seqlab.models.gpt.GPT", "width": width}, "seed": 1, "logger": {}},
        **more,
    }


@pytest.mark.parametrize(
    ("place", "other", "groups"),
    [
        ("runs", of(), [[1, 2]]),
        ("runs", of() | {"settings": of()["settings"] | {"seed": 2, "logger": {"csv": 1}, "resume": "a"}}, [[1, 2]]),
        ("runs", of(data="99"), [[1], [2]]),
        ("runs", of(model=8), [[1], [2]]),
        ("runs", of(width=512), [[1], [2]]),
        ("runs", of(resumed=[{"step": 7, "changed": {"optimizer.lr": [1, 2]}}]), [[1], [2]]),
        ("runs", of(resumed=[{"step": 7, "changed": {}}]), [[1, 2]]),
        ("reproduce", of(), [[1, 2]]),
        ("reproduce", of(data="99"), [[1], [2]]),
    ],
)
def test_runs_that_differ_in_more_than_their_seed_are_two_settings(tmp_path, place, other, groups):
    typed = {"model": "gpt"}
    runs = {
        write_run(tmp_path, place, "C", "gpt", "1"): digest("gpt", 1, overrides=typed, **of()),
        write_run(tmp_path, place, "C", "gpt", "2"): digest("gpt", 2, overrides=typed, **other),
    }
    found = read(tmp_path, runs).groups
    assert [one.seeds for one in found] == groups and len({one.id for one in found}) == len(found)


OLD, NEW = {"code": "old", "commit": "0123"}, {"code": "new", "commit": "4567"}


@pytest.mark.parametrize(
    ("place", "made_from", "groups"),
    [
        ("runs", (), [([1], True), ([2, 3], True)]),
        ("reproduce", (), [([1], True), ([2, 3], True)]),
        ("reproduce", (1,), [([1], False), ([2, 3], True)]),
        ("reproduce", (1, 2, 3), [([1, 2, 3], False)]),  # any_code=true
    ],
)
def test_runs_of_several_codes_are_one_group_only_in_a_reference_made_from_them(tmp_path, place, made_from, groups):
    codes = {1: NEW, 2: OLD, 3: OLD}
    made = {seed: digest(seed=seed, overrides={"model": "gru"}, environment=code) for seed, code in codes.items()}
    runs = {write_run(tmp_path, place, "C", "gru", str(seed)): run for seed, run in made.items()}
    if made_from:
        write_references(tmp_path, reference("C", {"gru": [made[seed] for seed in made_from]}))
    found = read(tmp_path, runs).groups
    assert sorted((one.seeds, one.is_users) for one in found) == groups and len({one.id for one in found}) == len(found)
    assert all(len(one.folders) == len(one.runs) for one in found)
    assert sorted(commit for one in found for commit in one.commits) == ["0123", "4567"]


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


def test_of_two_sweeps_of_one_study_one_is_shown_and_the_other_is_named(tmp_path):
    folders = {tmp_path / "sweeps" / name: sweep() for name in ("a", "b")}
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "sweep.json").write_text("{}", encoding="utf-8")
    material = read(tmp_path, {}, sweeps=folders)
    assert len(material.sweeps) == 1
    assert material.unread == [f"{tmp_path}/sweeps/b: another sweep here has the same study, made_up"]
