"""`seqlab-train`: what a run shows and leaves, that it can be repeated and resumed."""

import csv
import json
import math
import re
import shlex
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file
from support import ROOT
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqlab.folders import CONFIGURATION, RUN_FILES
from seqlab.runs.run_folder import command as command_of

ANKI = ("data=anki", "data.max_pairs=60", "data.max_words=6")
DATASETS = {
    "reversal": ("data=reversal", "data.samples=60"),
    "filled reversal": ("data=reversal", "data.samples=60", "data.fill=true"),
    "anki by character": (*ANKI, "tokenizer=character"),
    "anki by word": (*ANKI, "tokenizer=word"),
    "anki by subword": (*ANKI, "tokenizer=sentencepiece", "tokenizer.vocabulary_size=350"),
    "toy": ("data=toy",),
    "dates": ("data=dates", "data.samples=60"),
    "numbers": ("data=numbers", "data.samples=60", "data.largest=99"),
}


def rows_of(folder):
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def columns_of(folder):
    """Each column of metrics.csv as (step, value), left out where it is empty."""
    rows = rows_of(folder)
    return {name: [(int(row["step"]), row[name]) for row in rows if row[name] != ""] for name in rows[0]}


def losses_of(folder):
    return {name: values for name, values in columns_of(folder).items() if name.endswith("loss")}


def result_of(folder):
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def weights_of(folder):
    return (folder / "bundle" / "weights.safetensors").read_bytes()


def texts_in(content):
    """All strings of a JSON document, keys included."""
    if isinstance(content, dict):
        return [text for item in content.items() for part in item for text in texts_in(part)]
    if isinstance(content, list):
        return [text for part in content for text in texts_in(part)]
    return [content] if isinstance(content, str) else []


# What a run leaves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        ".hydra/config.yaml",
        ".hydra/overrides.yaml",
        "metrics.csv",
        "**/events.out.tfevents.*",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "bundle/bundle.json",
        "bundle/tokenizers.json",
        "bundle/weights.safetensors",
        "predictions.tsv",
        "result.json",
    ],
)
def test_a_run_leaves_what_it_found_out(trained, pattern):
    assert any(path.stat().st_size for path in trained.glob(pattern))


def test_overwriting_a_run_replaces_all_that_it_leaves(trained):
    assert {path.name for path in trained.iterdir()} <= {CONFIGURATION, *RUN_FILES}


def test_a_run_leaves_nothing_half_written(trained):
    assert [p.name for p in trained.rglob("*") if p.suffix == ".tmp" or (p.name[0] == "." and p.name != ".hydra")] == []


def test_a_bundle_holds_no_pickle(trained):
    bundle = trained / "bundle"
    weights, texts = {"weights.safetensors"}, {"bundle.json", "tokenizers.json", "README.md"}
    assert {path.name for path in bundle.iterdir()} == weights | texts
    for name in ("bundle.json", "tokenizers.json"):
        json.loads((bundle / name).read_text(encoding="utf-8"))
    with safe_open(bundle / "weights.safetensors", "pt") as weights:
        assert len(list(weights.keys())) > 0


def test_a_bundle_has_a_model_card(trained):
    result, card = result_of(trained), (trained / "bundle/README.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in card.splitlines() if line.startswith("| ")]
    assert rows[0] == ["metric", "train", "val", "test"]
    assert rows[1] == ["---", *["---:"] * 3]
    assert [row[0] for row in rows[2:]] == list(result["metrics"]["train"])
    loss = next(row for row in rows if row[0] == "teacher_forced/loss")
    assert loss[1:] == [f"{values['teacher_forced/loss']:.4f}" for values in result["metrics"].values()]
    assert f"    {result['command']}\n" in card
    assert {"seqlab-train", "model=gru", "data=reversal", "model.width=8"} <= set(result["command"].split())
    assert f"{result['parameters']:,} parameters" in card
    assert "50 train, 25 val, 25 test" in card
    assert result["environment"]["commit"] in card
    assert "Greedy" in card


def test_a_model_card_begins_with_what_hubs_read(trained):
    result, card = result_of(trained), (trained / "bundle/README.md").read_text(encoding="utf-8")
    empty, front, text = card.split("---\n", 2)
    assert (empty, text.startswith(f"\n# {result['name']}")) == ("", True)
    facts = yaml.safe_load(front)
    assert (facts["library_name"], facts["pipeline_tag"]) == ("seqlab", "text2text-generation")
    (model,) = facts["model-index"]
    (shown,) = model["results"]
    assert shown["dataset"]["split"] == "test"
    assert {one["type"]: one["value"] for one in shown["metrics"]} == result["metrics"]["test"]


def test_tensorboard_has_settings_and_attention(train, tmp_path, reversal):
    train(*reversal, "model=luong").succeeded()
    shown = EventAccumulator(str(tmp_path / "run/tensorboard")).Reload().Tags()
    assert {"settings/text_summary", "attention/text_summary"} <= set(shown["tensors"])
    assert shown["images"] == ["attention/attention"]


def test_the_result_is_complete(trained):
    result = result_of(trained)
    assert result["seed"] == 1
    assert result["settings"]["model"]["width"] == 8
    assert result["precision"] == "32-true"
    assert result["seconds"]["fit"] > 0
    assert {"commit", "python", "torch", "lightning", "hydra-core", "threads"} <= set(result["environment"])
    assert list(result["metrics"]) == ["train", "val", "test"]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_result_measures_every_split_both_ways(trained, split):
    metrics = result_of(trained)["metrics"][split]
    assert metrics["teacher_forced/loss"] > 0
    assert metrics["teacher_forced/perplexity"] == pytest.approx(math.exp(metrics["teacher_forced/loss"]), rel=1e-4)
    assert 0 <= metrics["free_running/exact_match"] <= metrics["free_running/token_accuracy"] <= 1


def test_the_result_names_the_commit(trained):
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?", result_of(trained)["environment"]["commit"])


def test_the_result_names_no_path_of_this_machine(trained):
    texts = texts_in(result_of(trained))
    assert [text for text in texts if Path(text).is_absolute()] == []
    assert [text for text in texts if str(ROOT) in text or str(trained.parent) in text] == []


def test_predictions_stand_beside_their_references(trained):
    header, *lines = (trained / "predictions.tsv").read_text(encoding="utf-8").splitlines()
    assert header.split("\t") == ["source", "prediction", "reference", "score", "match"]
    assert len(lines) == result_of(trained)["examples"]["test"]
    for source, prediction, reference, score, match in (line.split("\t") for line in lines):
        assert reference.split() == source.split()[::-1]
        assert float(score) <= 0
        assert match == str(prediction == reference).lower()


# What a run shows ---------------------------------------------------------------------------------------------


def test_what_lies_ahead_is_shown_before_training(training):
    folder, outcome = training
    before, _, after = outcome.out.partition("epoch   1")
    result = result_of(folder)
    assert f"{result['parameters']:,} parameters" in before
    assert f"{result['examples']['train']:,} train" in before
    assert re.search(rf"steps +{result['steps']}\b", before)
    assert re.search(r"time +about ", before)
    assert "val loss" in after


def test_what_leaks_from_training_is_shown_and_kept(training):
    folder, outcome = training
    before, _, _ = outcome.out.partition("epoch   1")
    (line,) = re.findall(r"^leakage +val sequences: (.*)$", before, re.M)
    leakage = result_of(folder)["leakage"]
    assert list(leakage) == ["val", "test"]
    assert leakage["val"]["sequences"]["copies"] == 0
    nearly = leakage["val"]["sequences"]["nearest"]["near_copies"]
    too_short = "too short for 5-grams (5 tokens in a row), 10-grams, 15-grams"
    assert line == f"0% appear in training word for word, {100 * nearly:.3g}% nearly; {too_short}"


def test_without_a_held_out_split_there_is_no_leakage(train, tmp_path, reversal):
    outcome = train(*reversal, "model=gru", "data.split=[1,0,0]").succeeded()
    assert "leakage" not in outcome.out
    assert result_of(tmp_path / "run")["leakage"] == {}


def test_the_end_shows_metrics_and_what_to_type_next(training):
    _, outcome = training
    assert "free_running/exact_match" in outcome.out
    assert "seqlab-predict run=run" in outcome.out
    assert outcome.err == ""


def test_samples_are_shown_when_asked_for(train, reversal):
    out = train(*reversal, "model=gru", "free_running.samples=2").succeeded().out
    during = out.partition("\nmetric ")[0]
    assert len([line for line in during.splitlines() if line.startswith("    ") and "→" in line]) == 2


def test_a_loss_and_a_metric_of_ones_own_are_named_in_the_configuration(command, tmp_path, tiny, reversal):
    (tmp_path / "my_scores.py").write_text(
        "from seqlab.models.objective import Objective\n\n"
        "class Doubled(Objective):\n"
        "    def losses(self, logits, labels):\n"
        "        _, plain = super().losses(logits, labels)\n"
        "        return 2 * plain, plain\n\n"
        "def letters(outputs, references):\n"
        "    return sum(map(len, outputs)) / sum(len(accepted[0]) for accepted in references)\n"
    )
    own = ("+objective._target_=my_scores.Doubled", "+free_running.metrics.letters=my_scores.letters")
    command("train", *tiny, *reversal, "model=gru", "hydra.run.dir=run", *own).succeeded()
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").open()))
    (epoch,) = [row for row in rows if row["train/objective"]]
    assert float(epoch["train/objective"]) == pytest.approx(2 * float(epoch["train/teacher_forced/loss"]), rel=1e-5)
    share = result_of(tmp_path / "run")["metrics"]["test"]["free_running/letters"]
    texts = [line.split("\t") for line in (tmp_path / "run/predictions.tsv").read_text().splitlines()[1:]]
    outputs, references = (sum(len(one[column]) for one in texts) for column in (1, 2))
    assert len(texts) > 20
    assert share == pytest.approx(outputs / references)
    command("evaluate", "run=run", "splits=[test]").succeeded()
    again = json.loads((tmp_path / "run/evaluation.json").read_text())["metrics"]["test"]
    assert again["free_running/letters"] == share


def test_a_metric_that_cannot_be_imported_is_refused_before_anything_is_read(train, reversal):
    outcome = train(*reversal, "model=gru", "+free_running.metrics.longer=nowhere.longer")
    assert outcome.code == 2
    assert "free_running: metrics.longer: 'nowhere.longer' cannot be imported" in outcome.err


def test_toy_gru_learns_its_pair_by_heart(command, tmp_path):
    outcome = command("train", "experiment=toy_gru", "trainer=cpu", "hydra.run.dir=run").succeeded()
    losses = {int(step): float(loss) for step, loss in re.findall(r"^step +(\d+) +loss ([\d.]+)", outcome.out, re.M)}
    assert list(losses) == [50, 100, 150, 200, 250, 300]
    assert losses[300] < losses[50] / 5
    assert re.search(r"1 2 3 +→ +3 2 1 +=", outcome.out)
    assert result_of(tmp_path / "run")["metrics"]["test"]["free_running/exact_match"] == 1


def test_anki_without_a_file_says_that_it_takes_the_phrasebook(train):
    assert "phrasebook that ships" in train(*DATASETS["anki by word"], "model=gru").succeeded().out


def test_a_finished_run_says_so_when_it_is_resumed_and_a_longer_one_does_not(command, copy):
    before = result_of(copy)
    out = command("train", f"resume={copy}", COLUMNS="400").succeeded().out
    assert "finished    before; its result is shown again. To train longer: seqlab-train resume=" in out
    assert " trainer.max_epochs=2\n" in out
    assert result_of(copy)["seconds"]["fit"] == before["seconds"]["fit"]
    assert "finished " not in command("train", f"resume={copy}", "trainer.max_epochs=2").succeeded().out


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (["data.path=some/my pairs.tsv.gz"], "my_pairs_gru"),
        (["data.path=some/pairs.tsv", "name=mine"], "mine"),
        ([], "anki_gru"),
    ],
)
def test_a_run_is_named_by_its_file(command, typed, name):
    shown = command("train", "data=anki", "model=gru", *typed, "--cfg", "job", "--resolve").succeeded().out
    assert f"\nname: {name}\n" in f"\n{shown}"


def test_a_run_on_the_phrasebook_stays_on_it_when_there_is_a_deck(train, command, tmp_path):
    settings = ("data=anki", "data.max_pairs=60", "tokenizer=character", "model=gru", "data.batch_size=16")
    train(*settings).succeeded()
    before = result_of(tmp_path / "run")
    assert before["command"].endswith(" data.batch_size=16 data.path=phrasebook")
    (deck := tmp_path / "outputs/data/fra-eng.zip").parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(deck, "w") as packed:
        packed.writestr("fra.txt", "".join(f"Say {i}.\tDis {i}.\n" for i in range(40)))
    command("evaluate", "run=run", "trainer=cpu").succeeded()
    command("train", "resume=run", "trainer.max_epochs=2").succeeded()
    after = result_of(tmp_path / "run")
    assert (after["data"], after["examples"]) == (before["data"], before["examples"])
    assert train(*settings, "hydra.run.dir=other").succeeded()
    other = result_of(tmp_path / "other")
    assert other["data"] == "pairs of fra-eng.zip"
    assert other["command"].endswith(" data.path=outputs/data/fra-eng.zip")


# What can be trained ------------------------------------------------------------------------------------------


def check_result(folder):
    """A run's result, of which every number is one."""
    result = result_of(folder)
    assert result["steps"] > 0
    assert list(result["metrics"]) == ["train", "val", "test"]
    assert all(math.isfinite(value) for values in result["metrics"].values() for value in values.values())
    assert len((folder / "predictions.tsv").read_text(encoding="utf-8").splitlines()) > 1
    return result


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_is_trained_on(train, tmp_path, dataset):
    train("model=gru", *DATASETS[dataset]).succeeded()
    check_result(tmp_path / "run")


def test_multirun_trains_several_models(apart, tmp_path, tiny, reversal):
    models = ("gru", "transformer", "conv")
    settings = (*tiny, *reversal, "optimizer.lr=0.003")  # a rate that suits the deep ones too
    apart("train", "-m", *settings, f"model={','.join(models)}").succeeded()
    (sweep,) = (tmp_path / "outputs/multiruns").iterdir()
    results = [check_result(sweep / str(number)) for number in range(len(models))]
    assert [result["name"] for result in results] == [f"reversal_{model}" for model in models]
    assert len({result["parameters"] for result in results}) == len(models)


@pytest.mark.parametrize(
    ("model", "precision"),
    [
        (["model=transformer"], "bf16-mixed"),
        (["model=transformer"], "bf16-true"),
        (["model=transformer"], "64-true"),
        (["model=gpt", "model.positions=rotary"], "bf16-true"),
        (["model=conv"], "bf16-true"),
    ],
)
def test_other_precisions_train_generate_and_measure(train, tmp_path, reversal, model, precision):
    heads = [] if model == ["model=conv"] else ["model.heads=2", "model.feed_forward=8"]
    clipped = ("trainer.gradient_clip_val=1.0", "optimizer.lr=0.003")  # by a fused optimizer
    small = ("data.samples=60", "model.layers=2", *heads)
    train(*reversal, *model, *small, f"trainer.precision={precision}", *clipped).succeeded()
    metrics = result_of(tmp_path / "run")["metrics"]["val"]
    assert metrics["teacher_forced/perplexity"] == pytest.approx(math.exp(metrics["teacher_forced/loss"]), rel=0.02)


def test_the_faster_precision_is_recorded_and_kept_by_a_resumed_run(train, command, tmp_path, reversal, monkeypatch):
    slower = [False]
    monkeypatch.setattr("seqlab.training.callbacks.precision.has_bf16", lambda device: True)
    monkeypatch.setattr(
        "seqlab.training.callbacks.precision.timed_step",
        lambda *_: 2.0 if torch.is_autocast_enabled("cpu") is slower[0] else 1.0,
    )
    said = train(*reversal, "model=gru", "trainer.precision=auto", COLUMNS="200").succeeded().out
    assert "precision   bf16-mixed (2000.0 ms per step in 32-true, 1000.0 ms per step in bf16-mixed)" in said
    slower[0] = True  # now bf16 would be the slower one
    for more in ("trainer.max_epochs=1", "trainer.max_epochs=2"):  # nothing is left to train, then something
        command("train", "resume=run", more).succeeded()
        result = result_of(tmp_path / "run")
        assert result["precision"] == "bf16-mixed"
        assert result["precision_seconds"] == {"32-true": 2.0, "bf16-mixed": 1.0}
        assert result["settings"]["trainer"]["precision"] == "auto"


@pytest.mark.slow
def test_a_compiled_model_trains_and_measures_as_it_is(process, tmp_path, tiny, reversal):
    for name, compiling in (("compiled", "true"), ("eager", "false")):
        settings = (
            *tiny,
            *reversal,
            "model=gpt",
            "model.heads=2",
            "model.layers=1",
            "model.dropout=0",
            f"compile={compiling}",
        )
        process("-m", "seqlab.train", *settings, f"hydra.run.dir={name}").succeeded()
    results = [result_of(tmp_path / name) for name in ("compiled", "eager")]
    compiled, eager = (result["metrics"]["val"] for result in results)
    assert compiled == pytest.approx(eager, rel=1e-3, abs=1e-2)
    assert results[0]["training"]["flops"] == results[1]["training"]["flops"]
    assert list(load_file(tmp_path / "compiled/bundle/weights.safetensors")) == list(
        load_file(tmp_path / "eager/bundle/weights.safetensors")
    )


def test_one_hot_inputs_train_in_half_precision(train, tmp_path, reversal):
    train(*reversal, "model=gru", "model.embedding=null", "trainer.precision=bf16-true").succeeded()
    assert math.isfinite(result_of(tmp_path / "run")["metrics"]["val"]["teacher_forced/loss"])


def test_early_stopping_ends_a_run_that_does_not_improve(train, tmp_path, reversal):
    stopping = ("callbacks=early_stopping", "callbacks.early_stopping.patience=1")
    train(*reversal, "model=gru", *stopping, "optimizer.lr=0.0", "trainer.max_epochs=9").succeeded()
    assert result_of(tmp_path / "run")["epochs"] == 2


def test_validations_counted_in_steps_have_a_line_each(train, reversal):
    counted = ("trainer.max_steps=6", "+trainer.val_check_interval=2", "trainer.check_val_every_n_epoch=null")
    out = train(*reversal, "model=gru", *counted).succeeded().out
    lines = [line for line in out.splitlines() if "val loss" in line]
    assert [re.match(r"step +(\d+)/6  train loss", line)[1] for line in lines] == ["2", "4", "6"]


def test_one_cycle_raises_and_lowers_the_learning_rate(train, tmp_path, reversal):
    train(*reversal, "model=gru", "scheduler=one_cycle", "optimizer.lr=0.01", "data.batch_size=3").succeeded()
    (rates,) = (values for name, values in columns_of(tmp_path / "run").items() if name.startswith("lr"))
    rates = [float(rate) for _, rate in rates]
    assert rates[0] < max(rates) > rates[-1]
    assert max(rates) == pytest.approx(0.01, rel=0.1)


def test_a_diverging_run_stops_with_one_line(train, tmp_path, reversal):
    outcome = train(*reversal, "model=gru", "optimizer=sgd", "optimizer.lr=3e38", "trainer.max_epochs=5")
    line = outcome.stopped(1, "gradient norm", "optimizer.lr")
    assert re.search(r"step [1-9]", line)
    assert re.search(r"examples \d+, \d+", line)
    assert not (tmp_path / "run/result.json").exists()


# Training options ---------------------------------------------------------------------------------------------


def test_label_smoothing_is_minimised_and_the_plain_loss_reported(train, trained, tmp_path, reversal):
    settings = ("data.samples=200", "objective.label_smoothing=0.8", "optimizer.lr=0.0")
    train(*reversal, "model=gru", *settings).succeeded()
    columns = columns_of(tmp_path / "run")
    plain, minimised = (float(columns[name][0][1]) for name in ("train/teacher_forced/loss", "train/objective"))
    assert plain == pytest.approx(float(columns["val/teacher_forced/loss"][0][1]), rel=0.03)  # nothing is learnt
    assert abs(minimised - plain) > 0.01
    assert "train/objective" not in columns_of(trained)


def test_a_loss_under_scheduled_sampling_is_not_called_teacher_forced(train, trained, tmp_path, reversal):
    train(*reversal, "model=gru", "objective.teacher_forcing=0.5").succeeded()
    columns = columns_of(tmp_path / "run")
    assert "train/scheduled_sampling/loss" in columns
    assert "train/scheduled_sampling/loss" not in columns_of(trained)
    teacher_forced = [columns["train/teacher_forced/loss"], columns_of(trained)["train/teacher_forced/loss"]]
    assert [len(values) for values in teacher_forced] == [1, 2]  # one is measured after training


def tensors_of(folder):
    return load_file(folder / "bundle" / "weights.safetensors")


def test_a_run_starts_from_the_weights_of_another(train, trained, tmp_path, reversal):
    longer = ("data.max_length=5", "data.val_max_length=5", "data.test_max_length=5")  # of the same integers
    train(*reversal, *longer, "model=gru", f"initial_weights={trained}", "optimizer.lr=0.0").succeeded()
    before, after = tensors_of(trained), tensors_of(tmp_path / "run")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert result_of(tmp_path / "run")["settings"]["initial_weights"] == str(trained)


def test_a_resumed_run_no_longer_needs_the_weights_that_it_started_from(train, command, trained, tmp_path, reversal):
    other = shutil.copytree(trained, tmp_path / "other")
    train(*reversal, "model=gru", "initial_weights=other").succeeded()
    shutil.rmtree(other)
    command("train", "resume=run", "trainer.max_epochs=2").succeeded()


def test_frozen_parts_stay_as_they_were(train, trained, tmp_path, reversal):
    outcome = train(*reversal, "model=gru", f"initial_weights={trained}", "freeze=[encoder,source_input]").succeeded()
    before, after = tensors_of(trained), tensors_of(tmp_path / "run")
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {name for name in before if name.startswith(("encoder.", "source_input."))}
    result = result_of(tmp_path / "run")
    frozen = sum(before[name].numel() for name in same)
    assert result["parameters"] - result["trained_parameters"] == frozen > 0
    assert f"({frozen:,} of them frozen)" in outcome.out


def test_the_loss_shown_is_the_loss_logged_when_gradients_are_accumulated(train, tmp_path, reversal):
    settings = ("data.samples=200", "trainer.accumulate_grad_batches=3", "callbacks.progress.every_n_steps=4")
    outcome = train(*reversal, "model=gru", *settings).succeeded()
    shown = {int(step): float(loss) for step, loss in re.findall(r"^step +(\d+) +loss ([\d.]+)", outcome.out, re.M)}
    logged = dict(columns_of(tmp_path / "run")["train/step_loss"])
    assert list(shown) == [4, 8]
    assert [float(logged[step - 1]) for step in shown] == pytest.approx(list(shown.values()), abs=1e-5)


def test_matrices_are_initialised_by_a_scheme(train, tmp_path, reversal):
    settings = ("initialisation.scheme=uniform", "initialisation.scale=0.01", "optimizer.lr=0.0")
    train(*reversal, "model=gru", *settings).succeeded()
    matrices = [tensor for tensor in tensors_of(tmp_path / "run").values() if tensor.dim() > 1]
    assert 0.009 < max(float(matrix.abs().max()) for matrix in matrices) <= 0.01


@pytest.mark.parametrize("of", ["last", "best"])
def test_the_average_of_checkpoints_is_measured_and_kept(train, command, tmp_path, reversal, of):
    settings = ("weights=average", "average.checkpoints=2", f"average.of={of}", "trainer.max_epochs=3")
    outcome = train(*reversal, "model=gru", *settings).succeeded()
    assert "average weights evaluated" in outcome.out
    result = result_of(tmp_path / "run")
    kept = {path: load_file(path) for path in (tmp_path / "run/checkpoints").glob("*.safetensors")}
    assert [path.name for path in sorted(kept)] == [f"step_{step}.safetensors" for step in result["averaged_steps"]]
    assert len(kept) == 2
    for name, tensor in tensors_of(tmp_path / "run").items():
        torch.testing.assert_close(tensor, sum(one[name] for one in kept.values()) / 2)
    losses = [float(loss) for _, loss in columns_of(tmp_path / "run")["val/teacher_forced/loss"]]
    assert result["metrics"]["val"]["teacher_forced/loss"] == losses[-1] not in losses[:3]
    command("train", "resume=run").succeeded()  # nothing is left to do
    assert result_of(tmp_path / "run")["metrics"] == result["metrics"]


def test_a_learning_rate_is_found_and_nothing_else_done(train, tmp_path, reversal):
    outcome = train(*reversal, "model=gru", "find_lr=true").succeeded()
    rate = re.search(r"optimizer\.lr=(\S+), where the loss falls fastest", outcome.out).group(1)
    assert 1e-3 < float(rate) < 1
    (command,) = re.findall(r"^train with +(seqlab-train .*)$", outcome.out, re.M)
    assert command.endswith(f" model=gru optimizer.lr={rate}")
    assert (command.count("optimizer.lr"), "find_lr" in command) == (1, False)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"lr_find.hydra", "lr_find.csv"}
    with (tmp_path / "run/lr_find.csv").open(newline="") as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    assert rates[0] == pytest.approx(1e-6)
    assert len(rates) > 50
    train(*reversal, "model=gru").succeeded()  # in the same folder
    train(*reversal, "model=gru", "find_lr=true").stopped(2, "holds runs already")


def test_a_learning_rate_is_found_without_the_schedule(train, tmp_path, reversal):
    curves = set()
    for scheduler in ("none", "plateau", "one_cycle"):  # the second needs validation, the third sets betas
        train(*reversal, "model=gru", "find_lr=true", f"scheduler={scheduler}").succeeded()
        curves.add((tmp_path / "run/lr_find.csv").read_text(encoding="utf-8"))
    assert len(curves) == 1


def test_a_rate_that_cannot_be_found_is_said(train, reversal):
    useless = ("initialisation.scheme=normal", "initialisation.scale=3e38")
    train(*reversal, "model=gru", "find_lr=true", *useless).stopped(1, "does not fall", "lr_find.csv")


# The same again -----------------------------------------------------------------------------------------------


def test_the_same_command_gives_the_same_bits(train, trained, tmp_path, reversal):
    train(*reversal, "model=gru").succeeded()
    assert losses_of(tmp_path / "run") == losses_of(trained)
    assert len(losses_of(trained)["train/step_loss"]) == result_of(trained)["steps"]
    assert weights_of(tmp_path / "run") == weights_of(trained)


def test_another_seed_gives_another_run(train, trained, tmp_path, reversal):
    train(*reversal, "model=gru", "seed=2").succeeded()
    assert losses_of(tmp_path / "run") != losses_of(trained)
    assert weights_of(tmp_path / "run") != weights_of(trained)


def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(train, command, copy, tmp_path, reversal):
    command("train", f"resume={copy}", "trainer.max_epochs=2").succeeded()
    train(*reversal, "model=gru", "trainer.max_epochs=2").succeeded()
    assert result_of(copy)["epochs"] == 2
    card = (copy / "bundle/README.md").read_text(encoding="utf-8")
    assert (
        "The run was resumed after step 13 with trainer.max_epochs 1 → 2. Without interruption this command may" in card
    )
    assert losses_of(copy) == losses_of(tmp_path / "run")
    assert weights_of(copy) == weights_of(tmp_path / "run")


def test_a_resumed_run_has_not_ended_any_more(command, copy):
    for name in ("error.txt", "training_cost.json"):
        (copy / name).write_text("{}")
    command("train", f"resume={copy}", "trainer.max_epochs=2").succeeded()
    assert not (copy / "error.txt").exists() and not (copy / "training_cost.json").exists()
    assert (copy / "result.json").stat().st_mtime >= (copy / "checkpoints/last.ckpt").stat().st_mtime


def test_a_resumed_run_is_not_written_over_again(command, copy):
    with (copy / ".hydra/overrides.yaml").open("a") as file:
        file.write("- overwrite=true\n")
    command("train", f"resume={copy}", "trainer.max_epochs=2").succeeded()
    assert result_of(copy)["epochs"] == 2
    assert "overwrite" not in (copy / ".hydra/overrides.yaml").read_text()


def test_resuming_logs_no_step_twice(command, copy):
    steps = result_of(copy)["steps"]
    command("train", f"resume={copy}", "trainer.max_epochs=3").succeeded()
    assert [step for step, _ in columns_of(copy)["train/step_loss"]] == list(range(3 * steps))
    for name, values in columns_of(copy).items():
        logged = [step for step, _ in values]
        assert name in ("step", "epoch") or logged == sorted(set(logged))


def test_resuming_writes_into_the_folder_alone(command, copy, tmp_path):
    before = set(tmp_path.iterdir())
    command("train", "resume=copy", "trainer.max_epochs=2").succeeded()
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("place", ["my conf", "../{}/conf"])
def test_a_folder_of_configurations_of_ones_own_is_part_of_the_command(command, tmp_path, tiny, reversal, place):
    place = place.format(tmp_path.name)
    (tmp_path / place / "experiment").mkdir(parents=True)
    (tmp_path / place / "experiment/mine.yaml").write_text("# @package _global_\nname: mine\n", encoding="utf-8")
    settings = (*tiny, *reversal, "model=gru", "experiment=mine")
    typed = (f"--config-dir={place}", *settings, "hydra.run.dir=run")
    found = command("train", *typed, "find_lr=true").succeeded().out
    command("train", *typed).succeeded()
    line = result_of(tmp_path / "run")["command"]
    flag = f"--config-dir={Path(place).name}"  # it lies below the folder that the command was typed in
    assert shlex.split(line) == ["seqlab-train", flag, *settings]
    assert command_of(tmp_path / "run") == line
    assert f"train with  {shlex.join(['seqlab-train', flag])} " in found
    command("train", *shlex.split(line)[1:], "hydra.run.dir=again").succeeded()
    assert weights_of(tmp_path / "again") == weights_of(tmp_path / "run")
    command("train", "resume=run", "trainer.max_epochs=2").succeeded()
    assert result_of(tmp_path / "run")["command"] == f"{line} trainer.max_epochs=2"


def test_a_configuration_of_ones_own_by_name_is_part_of_the_command_and_resumed(command, tmp_path, tiny, reversal):
    """As the line that a sweep ends with, which runs its best trial."""
    (tmp_path / "best").mkdir()
    (tmp_path / "best/best.yaml").write_text("defaults: [train, _self_]\nseed: 77\n", encoding="utf-8")
    (tmp_path / "more/experiment").mkdir(parents=True)
    (tmp_path / "more/experiment/mine.yaml").write_text("# @package _global_\nname: mine\n", encoding="utf-8")
    named = ("--config-dir=best", "--config-name=best", f"hydra.searchpath=[file://{tmp_path}/more]")
    settings = (*tiny, *reversal, "model=gru", "experiment=mine")
    command("train", *named, *settings, "hydra.run.dir=run").succeeded()
    line = result_of(tmp_path / "run")["command"]
    assert shlex.split(line) == ["seqlab-train", *named, *settings]
    command("train", "resume=run", "trainer.max_epochs=2").succeeded()
    result = result_of(tmp_path / "run")
    assert (result["seed"], result["name"], result["epochs"]) == (77, "mine", 2)
    assert result["command"] == f"{line} trainer.max_epochs=2"


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_resuming_what_is_no_run_is_refused(command, folder):
    command("train", f"resume={folder}").stopped(2, folder, "no run to resume")


def test_a_folder_that_holds_a_run_takes_no_other(train, tmp_path, reversal):
    train(*reversal, "model=gru", "callbacks.outlook=null").succeeded()
    before = (tmp_path / "run/bundle/weights.safetensors").read_bytes()
    train(*reversal, "model=gru", "seed=2").stopped(2, "hydra.run.dir=run", "resume=run", "overwrite=true")
    assert (tmp_path / "run/bundle/weights.safetensors").read_bytes() == before
    train(*reversal, "model=gru", "seed=2", "overwrite=true").succeeded()
    assert (tmp_path / "run/bundle/weights.safetensors").read_bytes() != before
    assert "overwrite" not in json.loads((tmp_path / "run/result.json").read_text())["command"]


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(command, tmp_path, tiny, reversal):
    for _ in range(2):
        folder = "hydra.run.dir=runs/${now:%Y}"
        command("train", *tiny, *reversal, "model=gru", folder, "callbacks.outlook=null", "measure=false").succeeded()
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_a_run_that_cannot_begin_leaves_folders_as_they_were(train, command, copy, tmp_path, reversal):
    train(*reversal, "model=gru", "model.width=wide").stopped(2, "model.width")
    assert not (tmp_path / "run").exists()
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    for wrong in ("model.width=wide", "+modle=gru"):
        train(*reversal, f"hydra.run.dir={copy}", "overwrite=true", wrong).stopped(2)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    (copy / "checkpoints/last.ckpt").unlink()
    command("train", f"resume={copy}").stopped(2, "nothing was saved there")
    assert (copy / ".hydra/overrides.yaml").is_file()


def test_multiruns_that_begin_in_the_same_second_have_folders_of_their_own(command, tmp_path, tiny, reversal):
    line = (*tiny, *reversal, "model=gru", "hydra.sweep.dir=all/${now:%Y}", "measure=false", "callbacks.outlook=null")
    line += ("hydra/launcher=basic",)
    for _ in range(2):
        command("train", "-m", *line, "seed=1,2").succeeded()
    found = sorted(path.relative_to(tmp_path / "all").parts for path in (tmp_path / "all").glob("*/*/checkpoints"))
    assert len({folder for folder, *_ in found}) == 2
    assert len(found) == 4


def test_settings_that_training_alone_brings_into_effect_are_refused_where_nothing_is_left_to_train(command, copy):
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.suffix != ".csv"}
    setting = "optimizer.lr=1e-5"
    command("train", f"resume={copy}", setting).stopped(2, "nothing left to train", "optimizer.lr 0.03 → 1e-05")
    assert {path: path.read_bytes() for path in before} == before


def test_a_multirun_does_not_write_over_another(command, tmp_path, tiny, reversal):
    line = (*tiny, *reversal, "model=gru", "hydra.sweep.dir=all", "measure=false", "callbacks.outlook=null", "seed=1,2")
    line += ("hydra/launcher=basic",)
    command("train", "-m", *line).succeeded()
    command("train", "-m", *line).stopped(2, "hydra.sweep.dir=all", "overwrite=true")
    assert (tmp_path / "all/1/checkpoints").is_dir()
