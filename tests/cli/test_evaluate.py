"""`seqlab-evaluate`: a finished run measured anew gives what it gave."""

import json
import shutil

import pytest


def metrics_of(path):
    return json.loads(path.read_text(encoding="utf-8"))["metrics"]


def assert_same(found, expected):
    assert {split: set(values) for split, values in found.items()} == {s: set(v) for s, v in expected.items()}
    for split, values in expected.items():
        assert found[split] == pytest.approx(values, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("splits", [["val"], ["test"], ["train", "val", "test"]])
def test_measuring_anew_gives_the_same(command, copy, splits):
    command("evaluate", f"run={copy}", f"splits=[{','.join(splits)}]", "trainer=cpu").succeeded()
    result = metrics_of(copy / "result.json")
    assert_same(metrics_of(copy / "evaluation.json"), {split: result[split] for split in splits})
    anew, before = (json.loads((copy / name).read_text()) for name in ("evaluation.json", "result.json"))
    assert anew["generation"].keys() == {"free_running"}  # of the last split
    if splits[-1] == "test":
        outputs = [one["generation"]["free_running"]["outputs"] for one in (anew, before)]
        assert outputs[0] == outputs[1] > 0


def test_the_metrics_are_shown(command, copy):
    out = command("evaluate", "run=copy", "trainer=cpu").succeeded().out
    loss = metrics_of(copy / "result.json")["test"]["teacher_forced/loss"]
    assert f"{loss:.4f}" in out
    assert "copy/evaluation.json" in out


def test_data_without_a_test_split_is_measured_on_validation(command, writer, tmp_path):
    shutil.copytree(writer, tmp_path / "run")
    command("evaluate", "run=run", "trainer=cpu").succeeded()
    assert metrics_of(tmp_path / "run/evaluation.json").keys() == {"val"}


def test_another_search_than_that_of_the_run_is_named(command, copy):
    assert "the run used" not in command("evaluate", f"run={copy}", "trainer=cpu").succeeded().out
    out = command("evaluate", f"run={copy}", "trainer=cpu", "decoding=beam", "decoding.size=3").succeeded().out
    found, used = " ".join(out.split()).split("; the run used ")
    assert "search Beam(" in found and "size=3" in found
    assert used.startswith("Greedy(")


def test_a_run_on_a_file_is_measured_from_any_folder(train, command, tmp_path):
    lines = [f"word{i % 7} word{i}.\tmot{i % 5} mot{i} !" for i in range(30)]
    (tmp_path / "pairs.txt").write_text("\n".join(lines), encoding="utf-8")
    train("data=anki", "data.path=pairs.txt", "model=gru", "data.batch_size=16").succeeded()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    command("evaluate", "run=../run", "splits=[train,val,test]", "trainer=cpu", folder=elsewhere).succeeded()
    assert_same(metrics_of(tmp_path / "run/evaluation.json"), metrics_of(tmp_path / "run/result.json"))


def test_no_checkpoint_is_needed(command, copy):
    shutil.rmtree(copy / "checkpoints")
    command("evaluate", f"run={copy}", "trainer=cpu").succeeded()


def test_the_search_can_be_another(command, copy):
    command("evaluate", f"run={copy}", "decoding=greedy", "decoding.max_length=1", "trainer=cpu").succeeded()
    found, before = metrics_of(copy / "evaluation.json")["test"], metrics_of(copy / "result.json")["test"]
    assert found["teacher_forced/loss"] == pytest.approx(before["teacher_forced/loss"], rel=1e-6)
    assert found["free_running/edit_distance"] != before["free_running/edit_distance"]


def test_settings_alone_change_the_runs_own_search(command, copy):
    command("evaluate", f"run={copy}", "decoding.max_length=1", "trainer=cpu").succeeded()
    found = metrics_of(copy / "evaluation.json")
    command("evaluate", f"run={copy}", "decoding=greedy", "decoding.max_length=1", "trainer=cpu").succeeded()
    assert_same(found, metrics_of(copy / "evaluation.json"))
    command("evaluate", f"run={copy}", "decoding.size=3").stopped(2, "decoding.size", "Greedy", "decoding=greedy, beam")


@pytest.mark.parametrize("search", [["decoding=beam", "decoding.size=3"], ["decoding=sample", "decoding.top_p=0.9"]])
def test_a_run_is_measured_anew_by_its_own_search(train, command, reversal, tmp_path, search):
    train(*reversal, "model=gru", *search).succeeded()
    command("evaluate", "run=run", "splits=[train,val,test]", "trainer=cpu").succeeded()
    own = metrics_of(tmp_path / "run/result.json")
    assert_same(metrics_of(tmp_path / "run/evaluation.json"), own)
    command("evaluate", "run=run", "decoding=greedy", "trainer=cpu").succeeded()
    greedy = metrics_of(tmp_path / "run/evaluation.json")["test"]
    assert greedy["free_running/edit_distance"] != own["test"]["free_running/edit_distance"]


def test_a_run_is_measured_anew_in_its_own_precision(train, command, reversal, tmp_path):
    train(*reversal, "model=gru", "trainer.precision=bf16-mixed").succeeded()
    own = metrics_of(tmp_path / "run/result.json")
    for typed in ([], ["trainer.precision=auto"], ["trainer.precision=32-true"]):
        command("evaluate", "run=run", "splits=[train,val,test]", "trainer=cpu", *typed).succeeded()
        found = json.loads((tmp_path / "run/evaluation.json").read_text(encoding="utf-8"))
        if "32" not in "".join(typed):
            assert found["precision"] == "bf16-mixed"
            assert_same(found["metrics"], own)
    assert found["precision"] == "32-true"
    assert found["metrics"]["val"]["teacher_forced/loss"] != own["val"]["teacher_forced/loss"]


def test_a_result_that_does_not_tell_its_precision_is_named(command, copy):
    result = json.loads((copy / "result.json").read_text(encoding="utf-8"))
    del result["precision"]
    (copy / "result.json").write_text(json.dumps(result), encoding="utf-8")
    command("evaluate", f"run={copy}", "trainer=cpu").stopped(2, "result.json: no precision", "trainer.precision=")
    command("evaluate", f"run={copy}", "trainer=cpu", "trainer.precision=32-true").succeeded()


def test_a_split_that_is_not_there_is_refused(command, copy):
    command("evaluate", f"run={copy}", "splits=[nope]", "trainer=cpu").stopped(2, "nope", "train, val, test")
    assert not (copy / "evaluation.json").exists()


@pytest.mark.parametrize("run", ["run=missing", "run=."])
def test_what_is_no_run_is_refused(command, run):
    command("evaluate", run).stopped(2, "expected a bundle or")


def test_a_run_must_be_named(command):
    command("evaluate").stopped(2, "run")


def test_a_bundle_alone_is_refused(command, copy):
    command("evaluate", f"run={copy / 'bundle'}").stopped(2, "bundle", "expected a run's folder")


def test_nothing_is_left_where_the_command_was_called(command, copy, tmp_path):
    (elsewhere := tmp_path / "elsewhere").mkdir()
    command("evaluate", f"run={copy}", "trainer=cpu", folder=elsewhere).succeeded()
    assert list(elsewhere.iterdir()) == []
