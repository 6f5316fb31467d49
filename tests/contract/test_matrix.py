"""Every model on every dataset, from the configs to the predictions of the bundle, in this process.

A model sees batches, of which there are three kinds: pairs, blocks of a text, and chunks of one with what came before.
Every model is tried on each kind, and every dataset with three models; the other combinations are slow tests.
"""

import contextlib
import csv
import functools
import json
import math
from dataclasses import replace
from pathlib import Path

import datasets
import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from support import ROOT

from seqlab import paths
from seqlab.config.bundle_settings import read_predict
from seqlab.config.hydra_run import this_run
from seqlab.config.settings import read_evaluate, read_train
from seqlab.inference import bundle
from seqlab.inference.prediction import predict
from seqlab.training.evaluate_run import evaluate
from seqlab.training.run import train

MODELS = sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))
TINY = {"width": 8, "embedding": 8, "heads": 2, "layers": 1, "feed_forward": 8}
NOTES = [
    *("data.path=notes", "data.split=tail", "data.val_share=0.25", "data.validation_path=story.md"),
    *("tokenizer=character", "data.length=12"),
]
DATASETS = {
    "reversal": ["data=reversal", "data.samples=60", "data.largest=5", "data.max_length=4"],
    "toy": ["data=toy"],
    "dates": ["data=dates", "data.samples=60"],
    "numbers": ["data=numbers", "data.samples=60", "data.largest=99"],
    "anki": ["data=anki", "data.path=deck.txt", "data.test_share=0.2", "tokenizer=character"],
    "parallel": ["data=parallel", "data.path=parallel"],
    "hub": ["data=hub", "data.name=saved", "data.test_share=0.2", "tokenizer=character"],
    "pairs": ["data=pairs", "data.path=deck.txt", "data.test_share=0.2", "tokenizer=character"],
    "hub_text in blocks": [
        *("data=hub_text", "data.name=saved_text", "data.split=tail", "data.val_share=0.25", "data.length=12"),
        *("data.boundaries=none", "tokenizer=character"),
    ],
    "notes in blocks": ["data=notes", *NOTES, "data.boundaries=none"],
    "notes in chunks": ["data=notes", *NOTES, "data.context=5"],
}
KINDS = ("parallel", "notes in blocks", "notes in chunks")  # one dataset for each kind of batch
TEXT = ("notes", "hub_text")  # datasets without a test split, but with another text to validate on
SENTENCES = [
    ("Der Hund schläft.", "The dog sleeps."),
    ("Die Katze schläft.", "The cat sleeps."),
    ("Der Hund läuft.", "The dog runs."),
    ("Die Katze läuft nicht.", "The cat does not run."),
    ("Das Kind liest.", "The child reads."),
    ("Das Kind schläft.", "The child sleeps."),
    ("Der Hund liest nicht.", "The dog does not read."),
    ("Das Kind läuft.", "The child runs."),
    ("Die Katze liest.", "The cat reads."),
    ("Der Hund schläft nicht.", "The dog does not sleep."),
]
PARTS = {"train": SENTENCES[:6], "val": SENTENCES[6:8], "test": SENTENCES[8:]}
TEXTS = {
    "notes/ferry.md": (
        "The ferry leaves at seven. It is late today, for there is fog on the river, and the captain waits. Anna has"
        " put her bicycle against the rail and counts the gulls. When she has come to forty, the bell rings.\n"
    ),
    "notes/boy.txt": (
        "A boy with a dog runs down the hill and is the last on board. Then the ropes are thrown, and the town"
        " grows small. The dog counts no gulls. It sleeps on the ropes until the bell rings, and then it is the first"
        " on land."
    ),
    "story.md": "On the way back there is no fog, Anna stands at the rail, and the captain leaves the bell to the boy.",
}
SEARCHES = ["beam", "sample"]  # beside greedy, with which runs are measured


def call(name, task, *overrides):
    """Composes conf/<name>.yaml with `overrides` and calls `task`, as its command line does."""
    with initialize_config_dir(str(paths.config_dir()), version_base="1.3"):
        job = GlobalHydra.instance().hydra.run(name, task, list(overrides), with_log_configuration=False)
    return job.return_value


def tiny(model):
    """The settings that make a model small, as far as it has them."""
    known = OmegaConf.load(ROOT / f"conf/model/{model}.yaml")
    return [f"model.{name}={value}" for name, value in TINY.items() if name in known]


def write_files(folder):
    """The sentences as a deck, as line-aligned files and as a saved data set, and the texts."""
    (folder / "deck.txt").write_text(
        "".join(f"{german}\t{english}\n" for german, english in SENTENCES), encoding="utf-8"
    )
    (folder / "parallel").mkdir()
    for part, pairs in PARTS.items():
        for language, lines in zip(("de", "en"), zip(*pairs, strict=True), strict=True):
            text = "".join(f"{line}\n" for line in lines)
            (folder / f"parallel/{part}.{language}").write_text(text, encoding="utf-8")
    german, english = zip(*SENTENCES, strict=True)
    datasets.Dataset.from_dict({"de": german, "en": english}).save_to_disk(folder / "saved")
    *documents, story = ({"text": [text]} for text in TEXTS.values())
    rows = {"train": {"text": [text for one in documents for text in one["text"]]}, "validation": story}
    datasets.DatasetDict({split: datasets.Dataset.from_dict(one) for split, one in rows.items()}).save_to_disk(
        folder / "saved_text"
    )
    (folder / "notes").mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trains into the folder `run` of one of its own, once; gives that and the monitored metric at its best."""

    @functools.cache
    def folder(model, dataset):
        place = tmp_path_factory.mktemp("matrix")
        training = ("trainer=cpu", "trainer.max_epochs=1", "optimizer.lr=0.01", "trainer.log_every_n_steps=1")
        settings = (f"model={model}", *tiny(model), *DATASETS[dataset], "data.batch_size=8", *training)
        with contextlib.chdir(place):
            write_files(Path())
            metric = call("train", lambda config: train(read_train(config, this_run())), *settings, "hydra.run.dir=run")
            return place, metric

    return folder


def logged(name):
    """The values of a column of the run's metrics.csv."""
    with Path("run/metrics.csv").open(newline="", encoding="utf-8") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def content(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def table(path):
    """The rows of a TSV file."""
    return [line.split("\t") for line in Path(path).read_text(encoding="utf-8").splitlines()]


def all_finite(metrics):
    return all(math.isfinite(value) for values in metrics.values() for value in values.values())


def test_every_dataset_is_tried():
    configs = {path.stem for path in (ROOT / "conf/data").glob("[!_]*.yaml")}
    assert configs == {settings[0].removeprefix("data=") for settings in DATASETS.values()}


def combinations():
    """Every model with every dataset; slow is what the others leave little to see in."""
    for row, dataset in enumerate(DATASETS):
        for column, model in enumerate(MODELS):
            tried = dataset in KINDS or (column + 3 * row) % len(MODELS) < 3
            yield pytest.param(model, dataset, marks=() if tried else pytest.mark.slow, id=f"{model}-{dataset}")


@pytest.mark.parametrize(("model", "dataset"), combinations())
def test_every_model_trains_validates_tests_and_predicts_on_every_dataset(model, dataset, trained, monkeypatch):
    folder, best = trained(model, dataset)
    monkeypatch.chdir(folder)
    result = content("run/result.json")
    metrics = result["metrics"]
    other = "val_other" if dataset.startswith(TEXT) else "test"
    shown = "val" if dataset.startswith(TEXT) else "test"
    assert list(metrics) == ["train", "val", other]
    assert all_finite(metrics)
    assert metrics["train"]["teacher_forced/loss"] < logged("train/step_loss")[0]
    assert best == logged("val/teacher_forced/loss")[0]
    assert metrics["val"]["teacher_forced/loss"] == pytest.approx(best, rel=1e-5)  # of the checkpoint

    header, *said = table("run/predictions.tsv")
    predictor = bundle.load("run")
    if dataset.endswith("in blocks"):
        assert header[0] == "prompt"
        assert len(said) == min(8, result["examples"][shown])
        assert not any("free_running" in name for name in metrics[shown])
        predictor.search = replace(predictor.search, max_length=7)  # the second half of 13
        said = [row for row in said if len(row[0]) + len(row[2]) == 13]  # but where BOS begins the stream
    else:
        assert len(said) == result["examples"][shown]
    said = [row for row in said if row[0].strip()]  # of blank text nothing is predicted
    assert said
    outputs = [own for (own,) in predictor.predict_n_best([source for source, *_ in said])]
    assert [output.text for output in outputs] == [row[1] for row in said]
    assert [output.score for output in outputs] == pytest.approx([float(row[3]) for row in said], abs=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_measured_and_predicts_by_every_search(model, trained, monkeypatch):
    folder, _ = trained(model, "parallel")
    monkeypatch.chdir(folder)
    metrics = content("run/result.json")["metrics"]["test"]
    for search in SEARCHES:
        call("evaluate", lambda config: evaluate(read_evaluate(config)), "run=run", f"decoding={search}", "trainer=cpu")
        measured = content("run/evaluation.json")["metrics"]
        assert all_finite(measured)
        assert measured["test"].keys() == metrics.keys()
        unsearched = {name: value for name, value in metrics.items() if not name.startswith("free_running/")}
        assert {name: measured["test"][name] for name in unsearched} == pytest.approx(unsearched)

        settings = ("input=parallel/test.de", "output=said.tsv", f"decoding={search}", "decoding.n_best=2")
        call("predict", lambda config: predict(read_predict(config)), "run=run", *settings)
        rows = table("said.tsv")
        assert [(row[0], row[3]) for row in rows] == [(source, rank) for source, _ in PARTS["test"] for rank in "12"]
        assert all(float(row[2]) < 0 for row in rows)


def test_every_search_is_tried():
    assert {path.stem for path in (ROOT / "conf/decoding").glob("*.yaml")} == {"greedy", "none", *SEARCHES}
