"""`seqlab-reproduce`: what is run, what is not run again, and what is left behind. Training is a stand-in."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from support import ROOT

from seqlab.errors import InputError
from seqlab.multiruns import pool
from seqlab.reproduction import reproduce_claims as reproduction
from seqlab.reproduction.claim import FOLDER
from seqlab.reproduction.search_outcome import SearchOutcome

FAKE = str(Path(__file__).with_name("fake_train.py"))
NAMES = ("fine", "fails", "stops", "slow")
SEEDS = (1, 2)


def claim(*names, seeds=(1, 2), bound=0.5, **more):
    groups = {
        name: {"title": name, "settings": f"experiment=toy_gru name={name}", "seeds": {"cpu": list(seeds), "full": [1]}}
        for name in names
    }
    criterion = {"text": "a low loss", "rule": "below", "of": names[0], "figure": "metrics.val.teacher_forced/loss"}
    said = {"title": "a title", "text": "a text", "source": "a source", "groups": groups}
    return json.dumps({**said, "criteria": [{**criterion, "bound": bound}], **more})


@pytest.fixture(scope="module")
def settings():
    """Those of every command line of these tests, by the line."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        plain = OmegaConf.to_container(compose("train", ["experiment=toy_gru"]), resolve=False)
    chosen = {**plain, "model": {**plain["model"], "width": 8}}
    return {
        f"experiment=toy_gru name={name}{more} seed={seed}": {**one, "name": name, "seed": seed}
        for more, one in (("", plain), (" model.width=8", chosen))
        for name in NAMES
        for seed in SEEDS
    }


@pytest.fixture
def reproduce(command, tmp_path, monkeypatch, settings):
    """Calls `seqlab-reproduce` on the claims of the folder `ledger`; gives its Outcome."""
    monkeypatch.setattr(pool, "TRAIN", FAKE)
    monkeypatch.setattr(pool, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(reproduction, "show_page", lambda outputs: None)
    monkeypatch.setattr(reproduction, "code", lambda: "own")
    monkeypatch.setattr(
        reproduction, "digest", lambda folder: json.loads((folder / "result.json").read_text(encoding="utf-8"))
    )
    monkeypatch.setenv("FAKE_SETTINGS", json.dumps(settings))
    monkeypatch.setenv("FAKE_RUNNER", str(os.getpid()))
    (tmp_path / "ledger").mkdir()

    def call(*arguments, code="own", **claims):
        monkeypatch.setenv("FAKE_CODE", code)
        for name, content in claims.items():
            (tmp_path / f"ledger/{name}.yaml").write_text(content)
        return command("reproduce", "ledger=ledger", *arguments)

    return call


@pytest.fixture
def calls(tmp_path):
    """The calls of the trainer since the last time one asked: begin or resume, and claim/label/seed."""
    file = tmp_path / "calls.txt"

    def since(in_order=False):
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        file.unlink(missing_ok=True)
        assert {threads for _, _, threads in lines} <= {"1"}
        told = [f"{kind} {'/'.join(Path(folder).parts[-3:])}" for kind, folder, _ in lines]
        return told if in_order else sorted(told)

    return since


def kept(tmp_path, name):
    return json.loads((tmp_path / f"outputs/reference/{name}.json").read_text(encoding="utf-8"))


def test_what_is_finished_is_not_run_again_unless_settings_or_code_are_others(reproduce, calls, tmp_path):
    out = reproduce(A=claim("fine")).succeeded().out
    assert calls() == ["begin A/fine/1", "begin A/fine/2"]
    assert "2 of 2" in out
    reference = kept(tmp_path, "A")
    assert (reference["verdict"], reference["criteria"][0]["measured"]) == ("holds", "0.3750 ± 0.1768")
    assert reference["groups"][0]["metrics"]["val"]["teacher_forced/loss"]["values"] == [0.25, 0.5]

    assert "runs: 2 finished, 0 to start" in reproduce().succeeded().out
    assert calls() == []

    result = tmp_path / "outputs/reproduce/A/fine/1/result.json"
    for change in ({"settings": {"name": "other"}}, {"environment": {"code": "other"}}):
        result.write_text(json.dumps({**json.loads(result.read_text()), **change}))
        out = reproduce().succeeded().out
        assert calls() == ["begin A/fine/1"]
        assert "outputs/reproduce_aside/A/fine/1/" in out
    aside = sorted((tmp_path / "outputs/reproduce_aside/A/fine/1").iterdir())
    assert [path.name for path in aside] == ["1", "2"]
    assert json.loads((aside[1] / "result.json").read_text())["environment"] == {"code": "other"}


def test_other_code_counts_if_asked_for_and_other_settings_do_not(reproduce, calls, tmp_path):
    reproduce(A=claim("fine"), code="older").succeeded()
    overrides = tmp_path / "outputs/reproduce/A/fine/2/.hydra/overrides.yaml"
    overrides.write_text(json.dumps(["experiment=toy_gru", "name=fine", "seed=2", "model.width=8"]))
    calls()
    reproduce("any_code=true").succeeded()
    assert calls() == ["begin A/fine/2"]


def test_a_failed_run_is_named_with_its_log_and_the_others_go_on(reproduce, calls, tmp_path):
    outcome = reproduce(A=claim("fine", "fails", seeds=[1]), B=claim("fine", seeds=[1], bound=0.1))
    assert outcome.code == 1
    assert calls() == ["begin A/fails/1", "begin A/fine/1", "begin B/fine/1"]
    assert "A/fails/1: it broke (outputs/reproduce/A/fails/1/log.txt)" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("error: 1 of 3 runs failed")
    assert "it broke" in (tmp_path / "outputs/reproduce/A/fails/1/log.txt").read_text()
    assert kept(tmp_path, "A")["partial"] == "1 of 2 runs are not there"
    assert kept(tmp_path, "B")["verdict"] == "does not hold"
    assert reproduce().code == 1
    assert calls() == ["begin A/fails/1"]


def test_ctrl_c_saves_what_runs_and_the_same_line_goes_on(reproduce, calls, tmp_path):
    outcome = reproduce("jobs=1", A=claim("fine", seeds=[1]), B=claim("stops", "fine", seeds=[1]))
    assert outcome.code == 130
    assert outcome.err == "stopped: what ran is saved, and the same command goes on\n"
    assert (tmp_path / "outputs/reproduce/B/stops/1/told.txt").read_text() == "SIGTERM"
    assert not (tmp_path / "outputs/reference/B.json").exists()
    assert kept(tmp_path, "A")["verdict"] == "holds"
    assert calls() == ["begin A/fine/1", "begin B/stops/1"]
    out = reproduce().succeeded().out
    assert "runs: 1 finished, 1 to resume, 1 to start" in out
    assert calls() == ["begin B/fine/1", "resume B/stops/1"]
    assert kept(tmp_path, "B")["verdict"] == "holds"
    assert "partial" not in kept(tmp_path, "B")


SEARCH = {"settings": "hydra.sweeper.seed=1", "space": {"model.width": "choice(8,16)"}, "trials": {"cpu": 2, "full": 3}}


@pytest.fixture
def searched(reproduce, monkeypatch):
    """`reproduce`, where every search chooses the width that the returned list holds."""
    width = [8]

    def conclude(search):
        outcome = SearchOutcome(
            trial=1,
            value=0.5,
            chosen=[f"model.width={width[0]}"],
            trials={"complete": 1, "pruned": 1},
            epochs=3,
            seconds=7.0,
            flops=2e12,
            tokens=100.0,
            space=dict(search.space),
        )
        (search.folder / "outcome.json").write_text(json.dumps(vars(outcome)))
        return outcome

    monkeypatch.setattr(reproduction, "conclude", conclude)
    return reproduce


def with_search(*names, **more):
    content = json.loads(claim(*names, **more))
    content["groups"] = {
        **{name: {**group, "search": SEARCH} for name, group in content["groups"].items()},
        "untuned": {"title": "untuned", "settings": "experiment=toy_gru name=fine", "seeds": {"cpu": [1], "full": [1]}},
    }
    return json.dumps(content)


def test_a_search_comes_before_its_runs_which_take_what_it_chose(searched, calls, tmp_path):
    out = searched(A=with_search("fine")).succeeded().out
    assert "claim A (a title): 1 search, 3 runs" in out
    assert calls() == ["begin A/fine/1", "begin A/fine/2", "begin A/untuned/1", "search A/fine/search"]
    fine, untuned = kept(tmp_path, "A")["groups"]
    assert fine["command"] == "seqlab-train -m experiment=toy_gru name=fine model.width=8 seed=1,2"
    assert (fine["search"]["trainings"], fine["search"]["seconds"], fine["search"]["flops"]) == (2, 7.0, 2e12)
    assert "search" not in untuned
    assert "searches and runs: 4 finished, 0 to start" in searched().succeeded().out
    assert calls() == []


def test_every_group_has_its_first_seed_before_any_has_its_second(searched, calls, tmp_path):
    """So that figures of all are there when a comparison is interrupted."""
    content = json.loads(with_search("fine"))
    content["groups"]["other"] = content["groups"]["fine"]
    searched("jobs=1", A=json.dumps(content)).succeeded()
    searches, firsts, seconds = (told := calls(in_order=True))[:2], told[2:5], told[5:]
    assert {one.split()[0] for one in searches} == {"search"}
    assert sorted(firsts) == ["begin A/fine/1", "begin A/other/1", "begin A/untuned/1"]
    assert sorted(seconds) == ["begin A/fine/2", "begin A/other/2"]


def test_a_search_of_other_space_or_code_is_made_anew_and_runs_only_if_it_chooses_otherwise(searched, calls, tmp_path):
    searched(A=with_search("fine")).succeeded()
    calls()
    other = with_search("fine").replace("choice(8,16)", "choice(8,32)")
    assert "outputs/reproduce_aside/A/fine/search/1" in searched(A=other).succeeded().out
    assert calls() == ["search A/fine/search"]  # it chose the same, so its runs are still right
    plan = tmp_path / "outputs/reproduce/A/fine/search/plan.json"
    plan.write_text(json.dumps({**json.loads(plan.read_text()), "code": "older"}))
    searched("any_code=true").succeeded()
    assert calls() == []
    searched().succeeded()
    assert calls() == ["search A/fine/search"]


def test_an_interrupted_search_goes_on_and_what_is_finished_can_be_judged(searched, calls, tmp_path):
    """First the search is interrupted, then the run that waits for it, when the other group's run is finished."""
    assert searched("jobs=1", A=with_search("stops", seeds=[1])).code == 130
    assert calls() == ["search A/stops/search"]
    outcome = searched("jobs=1")
    assert outcome.code == 130
    assert "searches and runs: none finished, 1 to resume, 2 to start" in outcome.out
    assert calls() == ["begin A/stops/1", "begin A/untuned/1", "search A/stops/search"]
    searched("run=false").succeeded()
    assert kept(tmp_path, "A")["partial"] == "1 of 2 runs are not there"
    searched("jobs=1").succeeded()
    assert calls() == ["resume A/stops/1"]
    assert not (tmp_path / "outputs/reproduce_aside").exists()


def test_runs_whose_search_fails_are_not_run_and_the_others_are_judged(searched, calls, tmp_path):
    outcome = searched(A=with_search("fine", "fails", seeds=[1]))
    assert outcome.code == 1
    assert calls() == ["begin A/fine/1", "begin A/untuned/1", "search A/fails/search", "search A/fine/search"]
    assert "A/fails/1: its search failed" in outcome.err
    assert "A/fails/search: nothing is complete" in outcome.err
    assert kept(tmp_path, "A")["partial"] == "1 of 3 runs are not there"


def test_what_runs_only_on_request_is_left_out_with_its_parts(reproduce, calls):
    whole = json.loads(claim("fine")) | {"groups": {}, "criteria": [], "on_request": True}
    parts = {"A": claim("fine", seeds=[1]), "B": json.dumps(whole), "B_part": claim("fine", seeds=[1], part_of="B")}
    reproduce(**parts).succeeded()
    assert calls() == ["begin A/fine/1"]
    only_full = claim("fine", seeds=[1], part_of="B", profiles=["full"])
    out = reproduce("claims=B", B_more=only_full).succeeded().out
    assert calls() == ["begin B_part/fine/1"]
    assert "claim B_more (a title): left out, there is no cpu profile of it (profile=full runs it)" in out


@pytest.mark.slow
def test_two_architectures_are_searched_trained_and_compared(command, tmp_path, monkeypatch):
    """The real thing, as small as it can be."""
    monkeypatch.setattr(reproduction, "show_page", lambda outputs: None)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    (tmp_path / "ledger").mkdir()
    small = "data=reversal data.samples=80 data.max_length=3 data.test_max_length=5 trainer.max_epochs=1"
    content = {
        **{"title": "a title", "text": "a text", "source": "a source", "own_data": True},
        "for_each": {
            "gru": {"title": "GRU", "space": {"cpu": {"model.width": "choice(4,8)"}}},
            "bahdanau": {"title": "attention", "space": {"cpu": {"model.width": "choice(4,6)"}}},
        },
        "groups": {
            "{name}": {
                "title": "{title}, tuned",
                "settings": f"model={{name}} {small} +decoding@also_decoding.beam=beam",
                "search": {
                    "space": {"optimizer.lr": "tag(log,interval(1e-3,1e-2))"},
                    "settings": "hydra/sweeper/pruner=halving",
                    "trials": {"cpu": 2},
                },
                "seeds": {"cpu": [1]},
            }
        },
        "columns": {"metrics.test.beam/exact_match": "beam", "exact_match_of_length.4-5": "4 to 5"},
        "criteria": [
            {
                **{"text": "apart", "rule": "apart", "of": ["bahdanau"], "than": ["gru"], "by": -1},
                "figure": "metrics.test.free_running/exact_match",
            }
        ],
    }
    (tmp_path / "ledger/A.yaml").write_text(json.dumps(content))
    command("reproduce", "ledger=ledger").succeeded()
    reference = kept(tmp_path, "A")
    assert reference["verdict"] == "holds"
    assert [group["label"] for group in reference["groups"]] == ["gru", "bahdanau"]
    for group in reference["groups"]:
        search = group["search"]
        assert (search["trainings"], search["trials"], search["epochs"]) == (2, {"complete": 2}, 2)
        assert search["seconds"] > 0 and search["flops"] > 0 and search["tokens"] > 0
        assert [one.partition("=")[0] for one in search["chosen"]] == ["optimizer.lr", "model.width"]
        assert all(one in group["command"] for one in search["chosen"])
        assert set(group["figures"]) == set(content["columns"])


def test_as_many_runs_at_a_time_as_pay(reproduce, calls, monkeypatch):
    """The first run shows what a run takes, here on three cores."""
    monkeypatch.setattr(reproduction, "available_cores", lambda: 3)
    monkeypatch.setattr(reproduction, "visible_gpus", list)
    out = reproduce("jobs=auto", A=claim("fine", seeds=[1, 2]), B=claim("fine", seeds=[1, 2])).succeeded().out
    assert len(calls()) == 4
    assert "1 at a time at first, 1 thread each" in out
    (line,) = [line for line in out.splitlines() if line.startswith("3 slots: ")]
    assert "3 cores, no core is left" in line


def test_missing_data_are_named_with_the_way_to_get_them_and_the_other_claims_run(reproduce, calls, tmp_path):
    needs = [{"path": "nowhere/train.de*", "get": "ask for them"}]
    outcome = reproduce(A=claim("fine", seeds=[1], needs=needs), B=claim("fine", seeds=[1])).succeeded()
    assert "claim A (a title) is left out: nowhere/train.de* is not there: ask for them" in outcome.out
    assert calls() == ["begin B/fine/1"]
    assert not (tmp_path / "outputs/reference/A.json").exists()
    reproduce("claims=A").stopped(2, "nowhere/train.de*", "ask for them")


def test_a_claim_whose_runs_cannot_be_read_is_named_and_the_others_are_judged(reproduce, tmp_path, monkeypatch):
    def broken(folder):
        if "A" in folder.parts:
            raise KeyError("metrics")
        return json.loads((folder / "result.json").read_text(encoding="utf-8"))

    monkeypatch.setattr(reproduction, "digest", broken)
    outcome = reproduce(A=claim("fine", seeds=[1]), B=claim("fine", seeds=[1]))
    assert outcome.code == 1
    assert "claim A (a title) cannot be judged (KeyError: 'metrics')" in outcome.err
    assert kept(tmp_path, "B")["verdict"] == "holds"


def test_what_is_finished_is_judged_without_running_the_rest(reproduce, calls, tmp_path):
    reproduce(A=claim("fine", seeds=[1])).succeeded()
    calls()
    reproduce("run=false", A=claim("fine", "slow"), B=claim("fine")).succeeded()
    assert calls() == []
    assert (kept(tmp_path, "A")["verdict"], kept(tmp_path, "A")["partial"]) == (
        "not comparable",
        "3 of 4 runs are not there",
    )
    assert not (tmp_path / "outputs/reference/B.json").exists()


def test_another_profile_has_folders_and_results_of_its_own(reproduce, calls, tmp_path):
    reproduce("profile=full", A=claim("fine")).succeeded()
    assert calls() == ["begin A/fine/1"]
    assert (tmp_path / "outputs/reproduce_full/A/fine/1/result.json").is_file()
    assert kept(tmp_path, "A_full")["profile"] == "full"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("claims=Z", "claims must be among A (a title), but 'Z' is not"),
        ("profile=gpu", "profile must be one of cpu, full"),
        ("jobs=0", "jobs must be an integer of at least 1, auto or null"),
        ("jobs=true", "jobs must be an integer of at least 1, auto or null"),
        ("run=maybe", "run must be true or false"),
        ("any_code=maybe", "any_code must be true or false"),
    ],
)
def test_settings_that_cannot_be(reproduce, arguments, named):
    reproduce(arguments, A=claim("fine")).stopped(2, named)


def test_a_command_that_does_not_compose_is_named_before_anything_runs(reproduce, calls):
    broken = claim("fine").replace("name=fine", "nothing=fine")
    reproduce(A=broken, B=claim("fine")).stopped(2, "A/fine/1", "nothing")
    assert calls() == []


@pytest.mark.parametrize(
    ("epochs", "verdict"), [("20", "does not hold"), pytest.param("300", "holds", marks=pytest.mark.slow)]
)
def test_claim_t_is_trained_and_judged(command, tmp_path, monkeypatch, epochs, verdict):
    """The real thing; after a few iterations the pair is not learnt yet."""
    monkeypatch.setattr(reproduction, "show_page", lambda outputs: None)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    (tmp_path / "ledger").mkdir()
    content = (FOLDER / "T.yaml").read_text(encoding="utf-8")
    (tmp_path / "ledger/T.yaml").write_text(content.replace("=toy_gru", f"=toy_gru trainer.max_epochs={epochs}"))
    command("reproduce", "ledger=ledger").succeeded()
    reference = kept(tmp_path, "T")
    assert reference["verdict"] == verdict
    assert reference["groups"][0]["runs"][0]["samples"][0]["source"] == "1 2 3"
    assert reference["environment"]["threads"] == 1


def test_runs_of_a_killed_runner_are_told_to_stop_and_nobody_else_works_there_before(tmp_path, settings):
    """The runner is killed where it can do nothing any more."""
    script = f"""
import os, sys
from pathlib import Path
from unittest.mock import Mock
from hydra_pruning_sweeper.execution.slot_count import SlotCount
from seqlab.multiruns import pool
from seqlab.reproduction.claim import Claim, Group
from seqlab.reproduction.plan import PlannedRun, empty_folder_for
pool.TRAIN = {FAKE!r}
group = Group("slow", "slow", ("experiment=toy_gru", "name=slow"), (1,))
claim = Claim("A", "cpu", "", "", "", (group,), ())
run = PlannedRun("A/slow/1", claim, group, Path("runs/slow"), 1)
with pool.locked(Path("runs")) as lock:
    started = pool.Pool(SlotCount(1), 1, [], lock)
    started.run([run], lambda run: bool(empty_folder_for(run, Path("aside"), "own")), print, Mock())
"""
    environment = {**os.environ, "FAKE_SETTINGS": json.dumps(settings), "FAKE_CODE": "own"}
    with subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=environment) as runner:
        wait_for(tmp_path / "runs/slow/checkpoints/last.ckpt")
        assert runner.poll() is None
        with (
            pytest.raises(InputError, match="another command, or a run that one left behind"),
            pool.locked(tmp_path / "runs"),
        ):
            pass
        runner.send_signal(signal.SIGKILL)
    wait_for(tmp_path / "runs/slow/told.txt")
    assert (tmp_path / "runs/slow/told.txt").read_text() == "SIGTERM"


def wait_for(path, seconds=60):
    until = time.monotonic() + seconds
    while not (path.is_file() and (path.name == "last.ckpt" or path.read_text())):
        assert time.monotonic() < until, f"{path} was not written in {seconds} s"
        time.sleep(0.02)
