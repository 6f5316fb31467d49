"""Digests of run folders, written by hand around bundles of small models with random weights."""

import json
import re
import shlex
import shutil

import pytest
import sacrebleu
import torch
from omegaconf import OmegaConf
from support import ROOT

from seqlab import load
from seqlab.config.component import Component
from seqlab.decoding import Greedy
from seqlab.errors import InputError
from seqlab.inference import bundle
from seqlab.inference.generation_outputs import Prediction
from seqlab.runs.run_digest import digest, digests
from seqlab.runs.run_folder import command
from seqlab.runs.samples import SAMPLES, chosen
from seqlab.special_tokens import BOS
from seqlab.text.tokenizers import IntegerTokenizer, WordTokenizer
from seqlab.training.results import predictions_table

INTEGERS = IntegerTokenizer(1, 9, 7)
MODELS = {
    "gru": {"width": 13, "embedding": 7},
    "bahdanau": {"width": 13, "embedding": 7},
    "transformer": {"width": 12, "heads": 3, "layers": 2, "feed_forward": 11},
    "gpt": {"width": 12, "heads": 3, "layers": 2, "feed_forward": 11},
}


def write_run(folder, said, metrics=None, name="reversal_gru", overrides=("model=gru", "seed=3"), **changes):
    """A run's folder with the predictions `said`."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra/overrides.yaml").write_text("".join(f"- {one}\n" for one in overrides), encoding="utf-8")
    result = {
        **{"name": name, "seed": 3, "data": "some", "examples": {"train": 5, "test": len(said)}, "steps": 10},
        **{"metrics": {"train": {}, "test": metrics or {}}, "settings": {"name": "${x:y}", "seed": 3, "lr": "${seed}"}},
        **changes,
    }
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    (folder / "predictions.tsv").write_text(predictions_table(said), encoding="utf-8")
    (folder / "metrics.csv").write_text("step,epoch,val/teacher_forced/loss\n9,0,1.5\n", encoding="utf-8")
    return folder


def add_bundle(folder, name, tokenizers=(INTEGERS, INTEGERS)):
    """A model with random weights that a run could have left."""
    config = OmegaConf.merge(OmegaConf.load(ROOT / f"conf/model/{name}.yaml"), MODELS[name])
    torch.manual_seed(5)
    sizes = {"source_size": tokenizers[0].size, "target_size": tokenizers[1].size}
    model = Component.of(config, "model").build(**sizes)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.7, 0.7)
    settings = {**OmegaConf.to_container(config), **sizes}
    del settings["_target_"]
    bundle.save(folder / "bundle", model, settings, tokenizers, Greedy(max_length=7))


def reversals(count):
    """What a model could say of arrays of 1 to 6 numbers: right but where the first number is 9."""
    said = []
    for i in range(count):
        numbers = [1 + (i + 2 * j) % 9 for j in range(1 + i % 6)]
        source, right = (" ".join(map(str, order)) for order in (numbers, numbers[::-1]))
        output = right if numbers[0] != 9 else " ".join(["9", *right.split()[1:]])
        said.append(Prediction(i, source, output, right, -0.5, output == right))
    return said


def test_a_run_on_arrays(tmp_path):
    said = reversals(60)
    run = write_run(tmp_path / "outputs/a", said, {"free_running/exact_match": 0.5})
    add_bundle(run, "gru")
    found = digest(run)
    assert found["command"] == "seqlab-train model=gru seed=3"
    assert found["overrides"] == {"model": "gru", "seed": "3"}
    assert found["settings"] == {"name": "reversal_gru", "seed": 3, "lr": 3}
    assert found["correct"] == [int(one.match) for one in said]
    rows = found["by_length"]["rows"]
    assert found["by_length"]["split"] == "test"
    assert [(row["from"], row["to"], row["count"]) for row in rows] == [(n, n, 10) for n in range(1, 7)]
    wrong = [sum(not one.match for one in said if len(one.source.split()) == n) for n in range(1, 7)]
    assert [row["exact_match"] for row in rows] == [1 - n / 10 for n in wrong]
    assert found["failures"]["counts"]["good"] == sum(one.match for one in said)
    assert sum(found["failures"]["counts"].values()) == 60
    assert found["curve"] == [{"step": 10, "epoch": 1, "val/teacher_forced/loss": 1.5}]
    assert "bleu_statistics" not in found
    assert [one["length"] for one in found["samples"]] == sorted(one["length"] for one in found["samples"])
    assert "attention" not in found["samples"][0]


def test_the_same_examples_are_shown_of_every_run(tmp_path):
    rows = []
    for i, output in enumerate(("x", "a b c")):
        said = [Prediction(j, "w " * (j % 7 + 1), output, "a b", -1.0, False) for j in range(97)]
        found = digest(write_run(tmp_path / str(i), said, {"free_running/token_bleu": 0.0}))
        rows.append([one["row"] for one in found["samples"]])
    assert rows[0] == rows[1] == sorted(rows[0], key=lambda row: (row % 7, row))
    assert len(set(rows[0])) == SAMPLES
    assert chosen([]) == []


def test_a_run_on_texts(tmp_path):
    pairs = [("ein hund .", "a dog .", "a dog ."), ("eine katze", "a cat", "a big cat"), ("zwei", "two two two", "two")]
    said = [Prediction(i, *texts, -1.0, texts[1] == texts[2]) for i, texts in enumerate(pairs)]
    run = write_run(tmp_path / "run", said, {"free_running/token_bleu": 12.5}, name="anki")
    vocabulary = WordTokenizer.fit(text for pair in pairs for text in pair)
    add_bundle(run, "bahdanau", (vocabulary, vocabulary))
    found = digest(run)
    assert found["references"] == "first"  # the run found another figure: with more references
    assert [row[:2] for row in found["bleu_statistics"]] == [[3, 3], [2, 3], [3, 1]]
    assert found["failures"]["counts"] == {"good": 1, "missing words": 1, "degenerate": 1, "wrong words": 0}
    assert [one["class"] for one in found["samples"]] == ["degenerate", "missing words", "good"]
    assert found["samples"][0]["source_tokens"] == ["zwei"]
    assert "tokens" in found["by_length"]["unit"]


def test_words_alone_are_scored_as_the_run_scored_them(tmp_path):
    """A run whose references are all shorter than BLEU's longest n-grams counts the n-grams that there are."""
    words = [(" ".join("s" * (i % 3 + 1)), f"word{i}", f"word{i if i % 4 else 99}") for i in range(40)]
    said = [Prediction(i, *one, -0.5, one[1] == one[2]) for i, one in enumerate(words)]
    token_bleu = sacrebleu.BLEU(lowercase=True, tokenize="none", force=True, effective_order=True).corpus_score(
        [one.prediction for one in said], [[one.reference for one in said]]
    )
    metrics = {"free_running/token_bleu": token_bleu.score}
    found = digest(write_run(tmp_path / "run", said, metrics=metrics))
    assert found["references"] == "all"
    rows = found["by_length"]["rows"]
    assert len(rows) == 3
    for row in rows:
        assert row["bleu"] == pytest.approx(100 * row["exact_match"])


@pytest.mark.parametrize("name", ["bahdanau", "transformer", "gpt"])
def test_attention_is_that_of_each_example_alone(tmp_path, name):
    said = reversals(30)
    run = write_run(tmp_path / "run", said)
    add_bundle(run, name)
    predictor, samples = load(run), digest(run)["samples"]
    assert len(samples) == SAMPLES
    for sample in samples[::7]:
        ids = torch.tensor([predictor.encode(sample["source"])])
        lengths = torch.tensor([ids.size(1)])
        (output,) = predictor.model.generate(ids, lengths, predictor.search).tokens[:, 0].tolist()
        output = [i for i in output if i]
        names = [*(INTEGERS.decode([i]) for i in output), "<eos>"]
        assert sample["output_tokens"] == names[: len(sample["output_tokens"])]
        steps = len(sample["output_tokens"])
        maps = predictor.model.attention_maps(ids, lengths, torch.tensor([[BOS, *output]]))
        own = {key.removesuffix(".core"): value[0, :, :steps, : ids.size(1)] for key, value in maps.items()}
        assert sample["attention"]
        for key, rows in sample["attention"].items():
            module, _, head = key.partition(" head ")
            expected = own[module][int(head) - 1] if head else own[module].mean(0)
            torch.testing.assert_close(torch.tensor(rows), expected, atol=1e-3, rtol=0)
        if name != "gpt":
            assert not any("encoder" in key or "self" in key for key in sample["attention"])
            assert all(sum(row) == pytest.approx(1, abs=0.01) for rows in sample["attention"].values() for row in rows)


def test_zeros_that_fill_arrays_are_shown_where_the_model_sees_them(tmp_path):
    run = write_run(tmp_path / "run", [Prediction(0, "3 1", "1 3", "1 3", -0.5, True)])
    filled = IntegerTokenizer(1, 9, 5, fill=True)
    add_bundle(run, "bahdanau", (filled, filled))
    (sample,) = digest(run)["samples"]
    assert (sample["length"], sample["source_tokens"]) == (2, ["3", "1", "0", "0", "0"])


def test_a_language_model_shows_how_it_goes_on(tmp_path):
    said = [Prediction(i, "Once upon\n", "a\ttime", "a \\ time", -1.0, None) for i in range(2)]
    run = write_run(tmp_path / "run", said)
    found = digest(run)
    first = {"source": "Once upon\n", "prediction": "a\ttime", "reference": "a \\ time", "continued": True}
    assert found["samples"][0] == first
    assert not {"by_length", "failures", "correct"} & set(found)


def test_it_is_made_once_and_anew_where_the_run_has_changed(tmp_path, monkeypatch):
    run = write_run(tmp_path / "run", reversals(7))
    first = digest(run)
    (run / "predictions.tsv").unlink()
    assert digest(run) == first
    assert digests([run, str(run)]) == [first, first]
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps({**result, "seed": 4}))
    anew = digest(run)
    assert anew["seed"] == 4
    assert "samples" not in anew  # a run without predictions
    (run / "digest.json").write_text("{")
    assert digest(run) == anew
    monkeypatch.setattr("seqlab.runs.run_digest._code", lambda: "of another day")
    (run / "metrics.csv").unlink()
    assert digest(run)["curve"] == []


def test_a_run_of_an_early_day_or_another_package(tmp_path):
    """No bundle that loads, no overrides, few facts: what there is is told."""
    run = write_run(tmp_path / "run", reversals(7))
    shutil.rmtree(run / ".hydra")
    (run / "result.json").write_text(
        json.dumps({"name": "a", "seed": 1, "metrics": {"val": {"teacher_forced/loss": 1.0}}})
    )
    found = digest(run)
    assert found["command"] == "seqlab-train"
    assert (found["by_length"]["split"], found["by_length"]["unit"]) == ("val", "words")
    assert found["settings"] == {"name": "a"}


def test_the_command_for_this_machine_names_files_so_that_it_can_be_typed(tmp_path):
    paths = [f"{tmp_path}/own/pairs.tsv", f"/elsewhere{tmp_path}/own/x", "/data/my deck.tsv", f"{tmp_path}2/x", "own/x"]
    run = write_run(tmp_path / "run", reversals(7), overrides=(*(f"data.path={one}" for one in paths), "model=gru"))
    runtime = {"cwd": str(tmp_path), "config_sources": [{"path": f"{tmp_path}/mine", "provider": "command-line"}]}
    hydra = {"runtime": runtime, "job": {"config_name": "train"}, "overrides": {"hydra": []}}
    OmegaConf.save({"hydra": hydra}, run / ".hydra/hydra.yaml")
    words = ["seqlab-train", "--config-dir=mine", *(f"data.path={one}" for one in ("own/pairs.tsv", *paths[1:]))]
    assert shlex.split(command(run)) == [*words, "model=gru"]
    assert str(tmp_path) not in digest(run)["command"]


def test_no_folder_of_the_machine_is_told(tmp_path):
    run = write_run(
        tmp_path / "run",
        reversals(7),
        overrides=("data.path=/home/anna/secret/deck.tsv", "model=gru"),
        settings={"data": {"path": "/home/anna/secret/deck.tsv", "cache": "outputs/cache"}},
    )
    found = digest(run)
    assert found["settings"]["data"] == {"path": "…/deck.tsv", "cache": "outputs/cache"}
    assert found["command"] == "seqlab-train data.path=…/deck.tsv model=gru"
    assert not re.search(r"anna|" + re.escape(str(tmp_path)), json.dumps(found))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: shutil.rmtree(run), r"run: no such folder"),
        (
            lambda run: (run / "result.json").unlink(),
            r"run: no result.json here; expected the folder of a run that has",
        ),
        (lambda run: (run / "result.json").write_text("{"), r"run/result.json: not JSON"),
        (lambda run: (run / "result.json").write_text("[]"), r"run/result.json: expected a mapping, but found \[\]"),
        (
            lambda run: (run / "result.json").write_text('{"name": "a", "seed": 1, "metrics": {"test": {"x": "1"}}}'),
            r'run/result.json: metrics.test.x: expected a number, but found "1"',
        ),
        (lambda run: (run / "metrics.csv").write_text("step,epoch,x\n1,inf,1\n"), r"metrics.csv:2: expected numbers"),
        (lambda run: (run / "predictions.tsv").write_bytes(b"\xff"), r"predictions.tsv: not UTF-8"),
        (
            lambda run: ((run / "metrics.csv").unlink(), (run / "metrics.csv").mkdir()),
            r"metrics.csv: not a regular file",
        ),
        (lambda run: (run / "predictions.tsv").write_text("a\tb\n"), r"predictions.tsv:1: expected the columns"),
        (
            lambda run: (run / "predictions.tsv").write_text("source\tprediction\treference\tscore\tmatch\n1\t2\n"),
            r"predictions.tsv:2: 2 columns; expected 5",
        ),
        (lambda run: (run / "metrics.csv").write_text("step,x\n1,much\n"), r"metrics.csv:2: expected numbers"),
        (lambda run: (run / ".hydra/overrides.yaml").write_text("{:"), r"overrides.yaml: not a list of overrides"),
    ],
)
def test_a_broken_folder_is_named(tmp_path, spoil, message):
    run = write_run(tmp_path / "run", reversals(5))
    spoil(run)
    with pytest.raises(InputError, match=message):
        digest(run)


@pytest.mark.parametrize("content", ['{"by": 1}', "[" * 100_000, '{"samples": {}}', b"\xff"])
def test_an_odd_digest_that_is_kept_is_made_anew(tmp_path, content):
    run = write_run(tmp_path / "run", reversals(5))
    found = digest(run)
    if content == '{"samples": {}}':  # of this run and code, but of another shape
        content = json.dumps(json.loads((run / "digest.json").read_text()) | {"samples": {}})
    (run / "digest.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert digest(run) == found


def test_a_digest_is_not_written_through_a_link(tmp_path):
    run = write_run(tmp_path / "run", reversals(5))
    (tmp_path / "elsewhere").write_text("precious")
    (run / "digest.json").symlink_to(tmp_path / "elsewhere")
    assert digest(run)["seed"] == 3
    assert (tmp_path / "elsewhere").read_text() == "precious" and (run / "digest.json").is_symlink()


def test_settings_that_refer_to_each_other_twice_a_level_do_not_grow_without_end(tmp_path):
    settings = {f"a{i}": f"${{a{i + 1}}}${{a{i + 1}}}" for i in range(40)} | {"a40": "x" * 99}
    found = digest(write_run(tmp_path / "run", reversals(5), settings=settings))
    assert len(json.dumps(found["settings"])) < 1_000_000
