"""`seqlab-describe`: what a dataset holds, and what a model is made of."""

import json
import re

import pytest

DATASETS = {
    "reversal": ("data=reversal", "data.samples=60"),
    "toy": ("data=toy",),
    "dates": ("data=dates", "data.samples=60"),
    "numbers": ("data=numbers", "data.samples=60"),
    "anki": ("data=anki", "tokenizer=character"),
    "subwords": ("data=anki", "tokenizer=sentencepiece", "tokenizer.vocabulary_size=350"),
}


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_is_described(command, tmp_path, dataset):
    outcome = command("describe", *DATASETS[dataset], "output=found.json").succeeded()
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert list(found["splits"]) == ["train", "val", "test"]
    for name, facts in found["splits"]["train"]["sides"].items():
        assert re.search(rf"^train {name} +{facts['sentences']:,} ", outcome.out, re.M)
    assert re.search(r"^val \w+ +\d", outcome.out.partition("leakage")[2], re.M)
    assert outcome.err == ""


def test_parallel_text_is_described(command, tmp_path):
    for split in ("train", "val"):
        for language, words in (("de", "Ein Hund"), ("en", "A dog")):
            (tmp_path / f"{split}.{language}").write_text(f"{words} {split}.\n{words}.\n", encoding="utf-8")
    out = command("describe", "data=parallel", "data.path=.", "data.test=null").succeeded().out
    assert re.findall(r"^val (\w+) +50%", out.partition("leakage")[2], re.M) == ["sources", "targets", "pairs"]


def test_nothing_but_the_cache_is_left(command, tmp_path):
    command("describe", "data=toy").succeeded()
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["cache"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["data=anki", "data.path=missing.txt"], "missing.txt"),
        (["data.samples=0"], "samples"),
        (["data.nope=1"], "nope"),
        (["data=parallel"], "path must name a folder"),
        (["data=toy", "output=[1]"], "output must name a file"),
        (["data=toy", "output=."], "is a directory"),
    ],
)
def test_what_cannot_be_used_is_one_line(command, arguments, named):
    command("describe", *arguments).stopped(2, named)


def test_a_model_is_described_and_drawn(command, tmp_path):
    model = ("model=transformer", "model_size=small", "data.samples=60")
    out = command("describe", *model, "output=found.svg", COLUMNS="120").succeeded().out
    assert (tmp_path / "found.svg").read_text(encoding="utf-8").startswith("<svg ")
    command("describe", *model, "output=found.json").succeeded()
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert f"{found['parameters']:,} parameters" in out
    assert re.search(r"^ +blocks\.0 × 3 +Block +\(B, T, D\) +[\d,]+$", out, re.M)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["model_size=small"], "needs a model; add model="),
        (["model=gpt", "model.width=7"], "heads"),
        (["model=gpt", "output=[1]"], "output must name a file"),
    ],
)
def test_a_model_that_cannot_be_described_is_one_line(command, arguments, named):
    command("describe", *arguments).stopped(2, named)
