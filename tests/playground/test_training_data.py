"""What a typed text shares with the data of a run; and that a run from somewhere else calls and reads nothing else."""

import contextlib
import itertools
import json
import os
import threading

import pytest
import yaml
from playground.conftest import REVERSAL
from playground.made_runs import CHARACTERS, METRICS, keep_settings, made_run
from support import ROOT

from seqlab.errors import InputError
from seqlab.kinds import NOTHING
from seqlab.playground import training_data
from seqlab.playground.named_bundles import named_bundles
from seqlab.playground.played_models import played_models
from seqlab.playground.training_data import DATASETS, PARTS, remove_for_good, run_of, searchable_training

HUB = {"seqlab.data.hub.HubPairs", "seqlab.data.hub_text.HubText"}
LISTS = {"_target_": "seqlab.data.reversal.Reversal", "samples": 400, "seed": 3}


@pytest.fixture
def lists(tmp_path):
    """A run on lists."""
    return made_run(tmp_path / "lists", REVERSAL / "gru", LISTS)


def test_a_list_of_training_is_known_and_another_is_not(lists):
    (model,) = played_models(named_bundles([lists]), NOTHING)
    assert model.run == lists == run_of(lists / "bundle")
    training = searchable_training(lists)
    from seqlab.data.reversal import Reversal

    data = Reversal(samples=400, seed=3)
    data.setup("fit")
    known = [data.source_text("train", row) for row in range(len(data.examples["train"]))]
    long = next(one for one in known if len(one.split()) == 9)
    found = training.search(model.predictor, long.replace(" ", ", "))
    assert found["copies"] == found["count"] == 1 and found["longest"] == [5] * 9
    assert found["sentences"] == [{"text": long, "copy": True, "similarity": 1.0, "nearest": long}]
    held_out = next(one for row in range(9) if len((one := data.source_text("test", row)).split()) > 1)
    found = training.search(model.predictor, held_out)
    assert (found["copies"], found["count"]) == (0, 1) and found["sentences"][0]["similarity"] < 1
    assert found["complete"] and found["tokens"] == sum(len(one.split()) for one in known)


TEXT = "the captain waits for the ferry\n\nthe ferry waits\n\n" + "it waits\n\n" * 700  # the letters of `writer`


def test_a_text_is_compared_by_sentences_and_runs_of_tokens(writer, tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/text.txt").write_text(TEXT)
    data = {"_target_": "seqlab.data.documents.Documents", "tokenizer": CHARACTERS, "path": "texts", "length": 9}
    data |= {"cleaning": None, "boundaries": "none", "split": "tail", "language": "en"}
    run = made_run(tmp_path / "run", writer, data, started=tmp_path)
    cached = {*tmp_path.rglob("*")}
    training = searchable_training(run)
    (model,) = played_models(named_bundles([run]), NOTHING)
    found = training.search(model.predictor, "The captain waits for the ferry\n\nit ran")
    assert (found["count"], found["copies"]) == (2, 1)
    assert [one["copy"] for one in found["sentences"]] == [True, False]
    assert found["longest"][:2] == [0, 15] and found["longest"][-1] == 0  # no "T", and nobody ran
    assert {*tmp_path.rglob("*")} == cached  # nothing is written beside the data


def test_a_bundle_alone_has_no_run(writer, tmp_path):
    assert run_of(writer) is None and run_of(REVERSAL / "gru") is None
    (tmp_path / "bundle").mkdir()
    assert run_of(tmp_path / "bundle") is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_target_": "os.system"}, "data of os.system is not read here"),
        ({"_target_": "seqlab.data.cache.shutil.rmtree"}, "is not read here"),
        ({"_target_": ["seqlab.data.reversal.Reversal"]}, "is not read here"),
        ({"_target_": "seqlab.data.hub.HubPairs"}, "is not read here"),
        ({"split": {"_target_": "os.mkdir"}}, "its data names os.mkdir, which is not called here"),
        ({"split": [{"a": {"_target_": "os.mkdir"}}]}, "its data names os.mkdir"),
        ({"samples": 10**9}, "1,000,000,000 examples; this page searches at most"),
        ({"samples": "${nothing}"}, "data"),
        ({"seed": 4}, "the files have changed"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_run_that_says_otherwise_does_nothing(lists, changes, message, monkeypatch):
    monkeypatch.setattr(os, "system", lambda _: pytest.fail("called"))
    monkeypatch.setattr(os, "mkdir", os.mkdir)
    keep_settings(lists, {**LISTS, **changes})
    with pytest.raises(InputError, match=message) as stop:
        searchable_training(lists)
    assert "\n" not in str(stop.value)


@pytest.mark.parametrize("content", ["", "a: [", "[]", "data: 3\nseed: 1", "seed: 1", "data: ${data}"])
def test_settings_that_are_broken_are_named(lists, content):
    (lists / ".hydra/config.yaml").write_text(content)
    with pytest.raises(InputError) as stop:
        searchable_training(lists)
    assert "\n" not in str(stop.value)


def test_files_that_are_gone_or_too_large_are_named(writer, tmp_path, monkeypatch):
    file = tmp_path / "text.txt"
    file.write_text(TEXT)
    data = {"_target_": "seqlab.data.documents.Documents", "tokenizer": CHARACTERS, "path": str(file), "length": 9}
    run = made_run(tmp_path / "run", writer, data)
    monkeypatch.setattr(training_data, "MOST_BYTES", 100)
    with pytest.raises(InputError, match=r"text\.txt is larger than"):
        searchable_training(run)
    keep_settings(run, {**data, "path": str(tmp_path / "*.txt")})
    with pytest.raises(InputError, match=r"\*\.txt is larger than"):
        searchable_training(run)
    keep_settings(run, data)
    file.unlink()
    with pytest.raises(InputError, match=r"text\.txt"):
        searchable_training(run)


def test_a_run_that_has_not_kept_what_its_data_was_is_refused(lists):
    (lists / "result.json").write_text(json.dumps({"name": "made", "seed": 1, "metrics": METRICS}))
    with pytest.raises(InputError, match="has not kept what its data was"):
        searchable_training(lists)


def test_all_of_seqlabs_own_data_is_known_but_that_of_the_hub():
    def targets(files):
        for path in (ROOT / "conf").glob(files):
            yield from training_data._targets(yaml.safe_load(path.read_text(encoding="utf-8")))

    own = (*targets("data/*.yaml"), *targets("tokenizer/*.yaml"), *targets("shared/running_text.yaml"))
    assert set(own) == DATASETS | PARTS | HUB


def test_a_folder_is_gone_for_good_although_a_thread_still_writes_there(tmp_path):
    folder, stopped = tmp_path / "cache", threading.Event()
    folder.mkdir()

    def write():
        with contextlib.suppress(OSError):  # the folder is gone, so that it has nowhere to write
            for number in itertools.count():
                (folder / f"{number % 50}").mkdir(exist_ok=True)
                (folder / f"{number % 50}/ids").write_text("1 2 3")
        stopped.set()

    threading.Thread(target=write, daemon=True).start()
    while not any(folder.iterdir()):
        pass
    remove_for_good(folder)
    assert stopped.wait(10)
    assert not any(tmp_path.iterdir())
