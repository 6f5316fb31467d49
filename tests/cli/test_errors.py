"""Bad input of any kind ends with one line that says where and what was expected; it leaves no result."""

import functools
import io
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import zipfile

import pytest
import torch
from processes import stop_when_data_is_read, unwrapped, write_to_full_disk
from support import ROOT

from seqlab.errors import InputError
from seqlab.inference.bundle import FORMAT

NO_PAIRS = {
    "a line without a tab": ("pairs.txt", b"Go.\tVa !\nHello\n", ["pairs.txt:2", "expected source<TAB>target"]),
    "too many columns": ("pairs.txt", b"a\tb\na\tb\tc\td\n", ["pairs.txt:2", "expected source<TAB>target"]),
    "another encoding": ("pairs.txt", "Go.\tVa !\nHi.\tça va\n".encode("latin-1"), ["pairs.txt:2", "UTF-8"]),
    "binary data": ("pairs.txt", b"Go.\tVa !\n\x00\x01\x02\tx\n", ["pairs.txt:2", "expected UTF-8 text"]),
    "an empty file": ("pairs.txt", b"", ["pairs.txt", "empty", "expected"]),
    "an empty target": ("pairs.txt", b"Go.\tVa !\nHi.\t \n", ["pairs.txt:2", "target is empty", "expected"]),
    "an empty source": ("pairs.txt", b"\tVa !\n", ["pairs.txt:1", "source is empty", "expected"]),
    "an empty line": ("pairs.txt", b"Go.\tVa !\n\nHi.\tSalut\n", ["pairs.txt:2", "expected"]),
    "a broken zip": ("pairs.zip", b"PK\x03\x04 and no more", ["pairs.zip", "zip"]),
    "a zip of other things": ("pairs.zip", None, ["pairs.zip", ".txt"]),
    "no file": ("missing.txt", None, ["missing.txt", "no such file"]),
}


@pytest.mark.parametrize("case", NO_PAIRS)
def test_bad_training_data_is_named(train, tmp_path, case):
    name, content, named = NO_PAIRS[case]
    if name.endswith(".zip") and content is None:
        with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
            archive.writestr("picture.png", b"no pairs")
        content = packed.getvalue()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    train("data=anki", f"data.path={name}", "model=gru").stopped(2, *named)
    assert_no_result(tmp_path)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("model=gru,lstm", "error: model=gru,lstm: several values; add -m for one run per value\n"),
        ("seed=range(1,4)", "error: seed=range(1,4): several values; add -m for one run per value\n"),
        (
            "freeze=encoder,decoder",
            "error: freeze=encoder,decoder: several values; add -m for one run per value, or type"
            " freeze=[encoder,decoder] for a list, \"freeze='encoder,decoder'\" for a text with commas\n",
        ),
    ],
)
def test_several_values_need_a_multirun(command, typed, line):
    outcome = command("train", typed)
    assert (outcome.code, outcome.out, unwrapped(outcome.err)) == (2, "", line)


def assert_no_result(folder):
    found = [path.name for path in folder.rglob("*") if path.is_file() and ".hydra" not in path.parts]
    assert not {"result.json", "predictions.tsv", "bundle.json", "ids.npz", "last.ckpt"} & set(found)


# Input of predictions -----------------------------------------------------------------------------------------

NO_INPUT = {
    "a sequence too long": (b"1 2\n1\n1 2 3 4 5\n", ["input.txt:3", "5 integers", "expected at most 4"]),
    "a target too long": (b"1 2\t2 1\n1\t1 2 3 4 5\n", ["input.txt:2", "5 integers", "expected at most 4"]),
    "a line without a source": (b"1 2\n\t2 1\n", ["input.txt:2", "expected source"]),
    "too many columns": (b"1\t1\t1\t1\n", ["input.txt:1", "4 columns", "expected source"]),
    "an empty file": (b"", ["input.txt", "empty", "expected"]),
    "another encoding": (b"1 2\n\xe9\n", ["input.txt:2", "UTF-8"]),
    "binary data": (b"\x00\x01", ["input.txt:1", "expected UTF-8 text"]),
    "no file": (None, ["input.txt", "no such file"]),
}


@pytest.mark.parametrize("case", NO_INPUT)
def test_bad_input_of_a_prediction_is_named(command, trained, tmp_path, case):
    content, named = NO_INPUT[case]
    if content is not None:
        (tmp_path / "input.txt").write_bytes(content)
    command("predict", f"run={trained}", "input=input.txt", "output=out.tsv").stopped(2, *named)
    assert not (tmp_path / "out.tsv").exists()


def test_the_bad_file_of_a_folder_is_named(command, trained, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a.txt").write_text("1 2\n", encoding="utf-8")
    (tmp_path / "folder/b.txt").write_text("1\n2\n1 1 1 1 1\n", encoding="utf-8")
    command("predict", f"run={trained}", "input=folder", "output=out.tsv").stopped(2, "b.txt:3", "expected at most 4")
    assert not (tmp_path / "out.tsv").exists()


def test_a_folder_without_files_is_named(command, trained, tmp_path):
    (tmp_path / "folder").mkdir()
    command("predict", f"run={trained}", "input=folder").stopped(2, "folder", "expected lines of source")


def test_bad_standard_input_is_named_and_nothing_is_put_out(command, trained):
    outcome = command("predict", f"run={trained}", "input=-", stdin="1 2\n3 4 1 1 1\n")
    outcome.stopped(2, "standard input:2", "expected at most 4")
    assert outcome.out == ""


# Settings -----------------------------------------------------------------------------------------------------

BAD_SETTINGS = {
    "foo=1": ["foo"],
    "data.foo=1": ["data.foo"],
    "+model.foo=1": ["model.foo", "width"],
    "+data.foo=1": ["data.foo", "samples"],
    "+trainer.foo=1": ["trainer.foo", "max_epochs"],
    "model=nope": ["model=nope", "bahdanau"],
    "model=lsmt": ["model=lsmt", "no such option", "did you mean lstm?"],
    "data=nope": ["data=nope", "reversal"],
    "experiment=nope": ["experiment=nope", "toy_gru"],
    "model.width=abc": ["model.width", "an integer", "'abc'"],
    "model.width=null": ["model.width", "an integer", "None"],
    "model.width=0": ["width"],
    "model.dropout=2": ["dropout", "2"],
    "trainer.max_epochs=abc": ["trainer.max_epochs", "an integer", "'abc'"],
    "trainer.gradient_clip_val=-1": ["trainer.gradient_clip_val", "above 0", "null", "-1"],
    "trainer.max_epochs=0.5": ["trainer.max_epochs must be an integer or null, but is 0.5"],
    "trainer.accumulate_grad_batches=0": ["trainer.accumulate_grad_batches must be at least 1, but is 0"],
    "trainer.check_val_every_n_epoch=0": ["trainer.check_val_every_n_epoch must be at least 1, but is 0"],
    "+trainer.val_check_interval=0": ["trainer.val_check_interval", "above 0", "once per epoch", "0"],
    "+trainer.val_check_interval=1000": ["val_check_interval", "(1000)", "training batches"],
    "+trainer.limit_train_batches=0": ["trainer.limit_train_batches", "above 0", "all", "0"],
    "trainer.gradient_clip_val=0": ["trainer.gradient_clip_val", "above 0", "null", "0"],
    "optimizer.lr=abc": ["optimizer.lr", "a number", "'abc'"],
    "optimizer.lr=-1": ["optimizer", "-1"],
    "data.batch_size=0": ["batch_size", "at least 1", "0"],
    "data.samples=abc": ["data.samples", "an integer", "'abc'"],
    "data.samples=100000": ["samples"],  # more than there are
    "data.samples=0": ["samples"],
    "data.split=[1,1,1]": ["split", "add up to 1"],
    "model.cell=rnn": ["cell", "lstm", "gru", "'rnn'"],
    "seed=abc": ["seed", "abc"],
    "seed=4294967296": ["seed", "4294967296"],
    "seed=true": ["seed must be an integer of 0 to 4294967295, but is True"],
    "cuda_graphs=1": ["cuda_graphs", "auto", "true", "false", "1"],
    "weights=nope": ["weights", "best", "last", "average", "nope"],
    "objective.label_smoothing=1": ["objective", "label_smoothing", "below 1"],
    "objective.label_smoothing=abc": ["objective.label_smoothing", "a number", "'abc'"],
    "objective.teacher_forcing=-0.5": ["objective", "teacher_forcing", "0 to 1", "-0.5"],
    "+objective.foo=1": ["objective.foo", "teacher_forcing"],
    "objective=null": ["objective", "None"],
    "initialisation.scheme=glorot": ["initialisation", "scheme", "xavier_uniform", "'glorot'"],
    "initialisation.scale=2": ["initialisation", "scale", "2"],
    "initialisation.scale=x": ["initialisation.scale", "a number", "'x'"],
    "initial_weights=nowhere": ["initial_weights", "nowhere", "no such folder"],
    "initial_weights=.": ["initial_weights", "no bundle.json"],
    "freeze=[encode]": ["freeze", "'encode'", "encoder"],
    "freeze=[1]": ["freeze", "'1'", "encoder"],
    "freeze=null": ["freeze", "list of names"],
    "average.checkpoints=0": ["average", "checkpoints", "at least 1", "0"],
    "average.of=first": ["average.of must be last or best, but is 'first'"],
    "find_lr=maybe": ["find_lr", "true or false", "'maybe'"],
    "scheduler=nope": ["scheduler=nope", "plateau"],
    "free_running.samples=abc": ["free_running.samples", "an integer", "'abc'"],
    "decoding.max_length=abc": ["decoding.max_length", "an integer", "'abc'"],
    "decoding.max_length=0": ["decoding", "max_length", "at least 1", "0"],
    "decoding.min_length=99": ["decoding", "min_length", "max_length", "99"],
    "decoding._target_=os.system": ["decoding._target_", "Search", "os.system"],
    "decoding=beam decoding.size=0": ["decoding", "size", "at least 1", "0"],
    "decoding=beam decoding.n_best=6": ["decoding", "n_best", "size (5)", "6"],
    "decoding=beam decoding.length_penalty=-1": ["decoding", "length_penalty", "-1"],
    "decoding=beam decoding.block_repeats=-1": ["decoding", "block_repeats", "-1"],
    "decoding=sample decoding.temperature=0": ["decoding", "temperature", "1e-6", "0"],
    "decoding=sample decoding.top_p=1.5": ["decoding", "top_p", "1.5"],
    "decoding=sample decoding.top_p=0": ["decoding", "top_p", "0"],
    "decoding=sample decoding.top_k=0": ["decoding", "top_k", "at least 1", "0"],
    "decoding=sample decoding.top_k=many": ["decoding.top_k", "an integer", "'many'"],
    "decoding=sample decoding.seed=-1": ["decoding", "seed", "-1"],
    "model._target_=seqlab.nowhere": ["model._target_", "seqlab.nowhere"],
    "optimizer=null": ["optimizer=null", "cannot be left out", "adam, adamw, muon, rmsprop, sgd"],
    "model=null": ["model=null", "cannot be left out", "bahdanau, ", "transformer"],
    "model=gru,null -m": ["model=null", "cannot be left out", "bahdanau, ", "transformer"],
    "decoding=null": ["decoding=null", "cannot be left out", "beam, greedy, sample"],
    "logger=null": ["logger=null", "cannot be left out", "default, mlflow, wandb"],
    "callbacks=null": ["callbacks=null", "cannot be left out", "default, early_stopping"],
    "trainer=null": ["trainer=null", "cannot be left out", "cpu, ddp, default, gpu"],
    "+sweeps=null": ["sweeps=null", "cannot be left out", "reversal_grid"],
    "data=numbers tokenizer=null": ["tokenizer=null", "cannot be left out", "byte, character, "],
    "optimizer=adamm": ["optimizer=adamm", "no such option", "adam, adamw, muon, rmsprop, sgd"],
    "model.width": ["model.width"],  # no value
}


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("train", ["data=null"], ["data=null", "anki, dates, ", "toy"]),
        ("describe", ["data=null"], ["data=null", "anki, dates, ", "toy"]),
        ("describe", ["data=toy", "tokenizer=null"], ["tokenizer"]),
        ("evaluate", ["run=x", "trainer=null"], ["trainer=null", "cpu, ddp, default, gpu"]),
        ("evaluate", ["run=x", "data=null"], ["null is no option"]),
    ],
)
def test_a_group_that_is_not_left_out_is_named_with_its_options(command, name, arguments, named):
    command(name, *arguments).stopped(2, *named)


def test_a_group_that_help_shows_as_null_may_be_null(command, trained, tmp_path):
    composed = command("train", "scheduler=null", "experiment=null", "model_size=null", "--cfg", "job").succeeded().out
    assert "\nscheduler: null\n" in composed
    described = command("describe", "data=toy", "model=null", "model_size=null").succeeded().out
    assert described == command("describe", "data=toy").succeeded().out
    (tmp_path / "in.txt").write_text("1 2\n", encoding="utf-8")
    command("predict", f"run={trained}", "input=in.txt", "decoding=null").succeeded()


@pytest.mark.parametrize("setting", BAD_SETTINGS)
def test_a_bad_setting_is_named(train, tmp_path, reversal, setting):
    group = "" if "=" in setting and "." not in setting.partition("=")[0] else "model=gru"
    train(*reversal, *filter(None, [group]), *setting.split()).stopped(2, *BAD_SETTINGS[setting])
    assert_no_result(tmp_path)


def test_multi30k_that_is_not_there_is_asked_for_in_both_ways(train, tmp_path):
    outcome = train("experiment=multi30k_gru", SEQLAB_DATA="nowhere")
    outcome.stopped(2, "nowhere/multi30k: no such folder", "data.path=FOLDER", "SEQLAB_DATA=FOLDER")
    assert_no_result(tmp_path)


def test_a_size_that_a_model_of_ones_own_does_not_have_is_named(train, tmp_path, reversal):
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/mine.yaml").write_text(
        "_target_: seqlab.models.bahdanau.Bahdanau\nwidth: 8\nembedding: 5\n"
    )
    arguments = ("hydra.searchpath=[file://conf]", *reversal, "model=mine", "model_size=small")
    train(*arguments).stopped(2, "model_size=small", "sizes/small_mine.yaml")
    assert_no_result(tmp_path)
    (tmp_path / "conf/sizes").mkdir()
    (tmp_path / "conf/sizes/small_mine.yaml").write_text("embedding: 7\n")
    train(*arguments).succeeded()
    assert json.loads((tmp_path / "run/bundle/bundle.json").read_text())["model"]["settings"]["embedding"] == 7


def test_a_reader_that_is_not_installed_is_named(train, tmp_path, monkeypatch):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}')
    monkeypatch.setitem(sys.modules, "nbformat", None)
    outcome = train("data=notes", "data.path=notes", "model=gpt")
    outcome.stopped(
        2, "reading a.ipynb needs nbformat, which is not installed; type ", "pip install -e '", "[documents]'"
    )
    assert_no_result(tmp_path)


def test_a_shared_part_by_its_old_name_gets_the_new_one(train, tmp_path):
    (tmp_path / "conf/data").mkdir(parents=True)
    (tmp_path / "conf/data/mine.yaml").write_text("defaults: [/_loading@_here_, _self_]\n")
    mine = ("hydra.searchpath=[file://conf]", "data=mine")
    train(*mine).stopped(2, "'_loading'; it is now shared/loading")
    (tmp_path / "conf/data/mine.yaml").write_text("defaults: [/_hoarding@_here_, _self_]\n")
    line = train(*mine).stopped(2, "'_hoarding'")
    assert "now" not in line


def test_an_example_too_long_for_a_models_positions_is_named_before_training(train, tmp_path, reversal):
    outcome = train(*reversal, "model=conv", "model.max_positions=3")
    line = outcome.stopped(2, "reversal of", "model.max_positions is 3")
    assert re.search(r"a source of \d tokens and a target of up to \d need \d positions", line)
    assert_no_result(tmp_path)


def test_an_output_too_long_for_a_models_positions_is_named(train, tmp_path, reversal):
    settings = ["model.max_positions=5", "decoding.max_length=7", "optimizer.lr=0"]  # targets of up to four and BOS
    train(*reversal, "model=conv", *settings).stopped(2, "up to 7", "model.max_positions is 5")
    assert_no_result(tmp_path)


def test_an_input_too_long_for_a_models_positions_is_named_with_its_line(command, train, tmp_path):
    settings = ["data=anki", "tokenizer=character", "model=conv", "model.max_positions=90", "data.max_pairs=40"]
    train(*settings).succeeded()
    (tmp_path / "input.txt").write_text("Short.\n" + "Long. " * 20 + "\n", encoding="utf-8")
    command("predict", "run=run", "input=input.txt", "output=out.tsv").stopped(2, "input.txt:2", "max_positions is 90")
    assert not (tmp_path / "out.tsv").exists()


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("model=lstm", ["of another model", "model.cell gru → lstm"]),
        ("model.width=9", ["of another model", "model.width 8 → 9", "(24, 128) → (27, 128)", "more"]),
        ("model=bahdanau", ["of another model", "model fixed_vector → bahdanau"]),
        ("model.reverse_source=true", ["of another model: model.reverse_source false → true;"]),  # all tensors fit
        ("data.largest=6", ["source vocabulary is not the data's", "largest 5 → 6"]),
        ("initialisation.scheme=normal", ["initialisation.scheme", "normal", "exclude"]),
    ],
)
def test_weights_of_another_run_that_do_not_fit_are_refused(train, tmp_path, trained, reversal, setting, named):
    model = [] if setting.startswith("model=") else ["model=gru"]
    train(*reversal, *model, f"initial_weights={trained}", setting).stopped(2, "initial_weights", *named)
    assert_no_result(tmp_path)


@pytest.mark.parametrize(
    ("scheduler", "setting", "named"),
    [
        ("inverse_sqrt", "scheduler.warmup=0", ["scheduler", "warmup", "at least 1", "0"]),
        ("cosine", "scheduler.warmup=5000", ["scheduler", "warmup", "shorter than the run of 13 steps", "5000"]),
        ("cosine", "scheduler.floor=2", ["scheduler", "floor", "0 to 1", "2"]),
        ("cosine", "trainer.max_epochs=-1", ["scheduler", "limit of training"]),
        ("plateau", "scheduler.factor=1.5", ["scheduler", "actor"]),
        ("plateau", "scheduler.patience=x", ["scheduler.patience", "an integer", "'x'"]),
        ("plateau", "scheduler.monitor=val/nope", ["scheduler.monitor", "val/nope"]),
        ("plateau", "trainer.limit_val_batches=0", ["scheduler", "validation"]),
    ],
)
def test_a_bad_setting_of_a_schedule_is_named(train, tmp_path, reversal, scheduler, setting, named):
    added = setting.replace("trainer.limit", "+trainer.limit")
    train(*reversal, "model=gru", f"scheduler={scheduler}", added).stopped(2, *named)
    assert_no_result(tmp_path)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("format=csv", ["format", "tsv", "jsonl", "'csv'"]),
        ("batch_size=0", ["batch_size", "at least 1", "0"]),
        ("batch_size=abc", ["batch_size", "'abc'"]),
        ("batch_size=true", ["batch_size must be an integer of at least 1, but is True"]),
        ("decoding=nope", ["decoding=nope", "greedy"]),
        ("decoding.n_best=3", ["decoding.n_best: unknown key", "Greedy", "choose decoding=greedy, beam or sample"]),
        ("decoding.max_length=abc", ["decoding.max_length", "an integer", "'abc'"]),
        ("decoding.min_length=9", ["decoding", "min_length", "9"]),
        ("decoding._target_=os.system", ["decoding._target_", "Search", "os.system"]),
        ("foo=1", ["foo"]),
    ],
)
def test_a_bad_setting_of_a_prediction_is_named(command, trained, tmp_path, setting, named):
    (tmp_path / "input.txt").write_text("1\n", encoding="utf-8")
    command("predict", f"run={trained}", "input=input.txt", "output=out.tsv", setting).stopped(2, *named)
    assert not (tmp_path / "out.tsv").exists()


@pytest.mark.parametrize("missing", ["run", "input"])
def test_what_must_be_given_is_named(command, trained, missing):
    given = {"run": f"run={trained}", "input": "input=nowhere.txt"}
    del given[missing]
    command("predict", *given.values()).stopped(2, missing)


@pytest.mark.parametrize("run", ["nowhere", "."])
def test_a_folder_without_a_model_is_named(command, run):
    command("predict", f"run={run}", "input=input.txt").stopped(2, run, "expected a bundle")


# Bundles ------------------------------------------------------------------------------------------------------


@pytest.fixture
def predict_with(command, copy, tmp_path):
    """Predicts with the copied run; gives its Outcome."""
    (tmp_path / "input.txt").write_text("1 2\n", encoding="utf-8")
    return lambda: command("predict", f"run={copy}", "input=input.txt", "output=out.tsv")


def edit(path, change):
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_an_unspoilt_bundle_predicts(predict_with, tmp_path):
    predict_with().succeeded()
    assert (tmp_path / "out.tsv").exists()


@pytest.mark.parametrize("side", [0, 1])
def test_a_tokenizer_of_another_run_is_refused(predict_with, copy, tmp_path, side):
    edit(copy / "bundle/tokenizers.json", lambda tokenizers: tokenizers[side]["settings"].update(largest=9))
    predict_with().stopped(2, "bundle", "different runs")
    assert not (tmp_path / "out.tsv").exists()


@pytest.mark.parametrize("kept", [0, 5, 900])
def test_truncated_weights_are_refused(predict_with, copy, tmp_path, kept):
    weights = copy / "bundle/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    predict_with().stopped(2, "weights.safetensors")
    assert not (tmp_path / "out.tsv").exists()


def test_weights_of_another_model_are_refused(predict_with, copy):
    edit(copy / "bundle/bundle.json", lambda content: content["model"]["settings"].update(width=9))
    predict_with().stopped(2, "weights.safetensors")


@pytest.mark.parametrize("name", ["bundle.json", "tokenizers.json"])
@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", "[1, 2]", '"text"', '{"format": 1}', '[{"kind": 1, "settings": {}}]']
)
def test_a_broken_description_is_refused(predict_with, copy, name, content):
    (copy / "bundle" / name).write_text(content, encoding="utf-8")
    predict_with().stopped(2, "bundle")


@pytest.mark.parametrize("name", ["tokenizers.json", "weights.safetensors"])
def test_a_missing_file_of_a_bundle_is_named(predict_with, copy, name):
    (copy / "bundle" / name).unlink()
    predict_with().stopped(2, name)


@pytest.mark.parametrize("number", [FORMAT - 1, 99, str(FORMAT), None])
def test_another_format_is_refused(predict_with, copy, number):
    edit(copy / "bundle/bundle.json", lambda content: content.update(format=number))
    predict_with().stopped(2, "bundle", str(number), f"format {FORMAT}")


def test_an_unknown_setting_of_a_bundle_is_named(predict_with, copy):
    edit(copy / "bundle/bundle.json", lambda content: content["model"]["settings"].update(foo=1))
    predict_with().stopped(2, "foo")


@pytest.mark.parametrize(
    ("name", "put"),
    [
        ("bundle.json", lambda content, call: content.update(model=call)),
        ("bundle.json", lambda content, call: content["model"].update(kind="os:system")),
        ("bundle.json", lambda content, call: content["model"]["settings"].update(width=call)),
        ("bundle.json", lambda content, call: content.update(search=call)),
        ("bundle.json", lambda content, call: content["search"]["settings"].update(max_length=call)),
        ("bundle.json", lambda content, call: content["search"]["settings"].update(more=call)),
        ("tokenizers.json", lambda content, call: content.__setitem__(0, {**call, "class": call["_target_"]})),
        ("tokenizers.json", lambda content, call: content[0].update(kind="os:system")),
    ],
    ids=[
        "model",
        "model's kind",
        "model's argument",
        "search",
        "search's argument",
        "search's unknown argument",
        "tokenizer",
        "tokenizer's kind",
    ],
)
def test_a_bundle_calls_no_other_code(predict_with, copy, tmp_path, name, put):
    call = {"_target_": "os.system", "command": f"touch {tmp_path / 'called'}"}
    edit(copy / "bundle" / name, lambda content: put(content, call))
    outcome = predict_with()
    assert not (tmp_path / "called").exists()
    outcome.stopped(2, "bundle")


# Checkpoints --------------------------------------------------------------------------------------------------


class Code:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mknod, (str(self.path),)


CODE_FORMATS = {
    "a pickle": lambda content, path: path.write_bytes(pickle.dumps(content, protocol=2)),
    "a torch file": torch.save,
}


@pytest.mark.parametrize("write", CODE_FORMATS)
@pytest.mark.parametrize("inside", ["alone", "in a checkpoint"])
def test_a_checkpoint_that_carries_code_is_refused(command, copy, tmp_path, write, inside):
    last = copy / "checkpoints/last.ckpt"
    code = Code(tmp_path / "called")
    content = code if inside == "alone" else {**torch.load(last, weights_only=True), "more": code}
    CODE_FORMATS[write](content, last)
    outcome = command("train", f"resume={copy}", "trainer.max_epochs=2")
    assert not (tmp_path / "called").exists()
    outcome.stopped(2, "last.ckpt", "refused")


def test_evaluating_and_predicting_read_no_checkpoint(command, predict_with, copy, tmp_path):
    for path in (copy / "checkpoints").iterdir():
        path.write_bytes(pickle.dumps(Code(tmp_path / "called")))
    predict_with().succeeded()
    command("evaluate", f"run={copy}", "trainer=cpu").succeeded()
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("freeze=[encoder]", ["freeze [] → ['encoder']"]),
        ("model.width=9", ["model.width 8 → 9"]),
        ("model=bahdanau", ["model._target_", "Bahdanau"]),
        ("data.seed=5", ["data.seed 0 → 5"]),
        ("optimizer=sgd", ["optimizer._target_ torch.optim.Adam → torch.optim.SGD"]),
        ("trainer.max_epochs=0", ["trainer.max_epochs", "at least the 1 epoch "]),
    ],
)
def test_what_cannot_take_effect_in_a_resumed_run_is_refused_and_nothing_touched(command, copy, setting, named):
    before = contents(copy)
    command("train", f"resume={copy}", "trainer.max_epochs=2", setting).stopped(2, *named)
    assert contents(copy) == before


def contents(folder):
    """All files below a folder, and what is in them."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_weights_that_do_not_fit_the_model_are_refused(command, copy):
    last = copy / "checkpoints/last.ckpt"
    content = torch.load(last, weights_only=True)
    del content["state_dict"][next(iter(content["state_dict"]))]
    torch.save(content, last)
    command("train", f"resume={copy}", "trainer.max_epochs=2").stopped(2, "does not fit", "Missing key")


def test_a_run_on_text_is_not_gone_on_with_on_other_text(train, command, tmp_path):
    pairs = [(f"{a} {b}", f"{b} {a}") for a in "abcdefgh" for b in "ijkl"]
    deck = tmp_path / "deck.txt"
    deck.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    data = ("data=anki", "data.path=deck.txt", "tokenizer=character", "model=gru", "callbacks.outlook=null")
    train(*data).succeeded()
    before = contents(tmp_path / "run")
    deck.write_text("".join(f"{source}\t{source}\n" for source, _ in pairs), encoding="utf-8")
    command("train", "resume=run", "trainer.max_epochs=2").stopped(2, "other data", "data.splits.train", "new run")
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize("content", ["truncated", "empty", "a list", "other things"])
def test_a_broken_checkpoint_is_refused(command, copy, content):
    last = copy / "checkpoints/last.ckpt"
    if content in ("truncated", "empty"):
        last.write_bytes(last.read_bytes()[: 1000 if content == "truncated" else 0])
    else:
        torch.save([1, 2] if content == "a list" else {"weights": 1}, last)
    command("train", f"resume={copy}", "trainer.max_epochs=2").stopped(2, "last.ckpt")


def test_a_run_that_saved_nothing_is_named_with_the_line_that_starts_it_again(command, copy):
    (copy / "checkpoints/last.ckpt").unlink()
    line = command("train", f"resume={copy}", "trainer.max_epochs=2").stopped(2, "last.ckpt", "nothing was saved")
    assert "start it again with seqlab-train trainer=cpu " in line and line.endswith(" model=gru\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_before_its_first_checkpoint_leaves_no_folder(apart, tmp_path, number):
    outcome = apart("train", "trainer=cpu", before=functools.partial(stop_when_data_is_read, number))
    assert (outcome.code, outcome.err) == (130, "stopped: nothing is saved yet; the same line starts it again\n")
    assert list(tmp_path.rglob(".hydra")) == []


# Outputs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["input.txt/out.tsv", "folder"])
def test_an_output_that_cannot_be_made_is_named(command, trained, tmp_path, output):
    (tmp_path / "folder").mkdir()
    (tmp_path / "input.txt").write_text("1 2\n", encoding="utf-8")
    command("predict", f"run={trained}", "input=input.txt", f"output={output}").stopped(2, output.partition("/")[0])
    assert (tmp_path / "input.txt").read_text(encoding="utf-8") == "1 2\n"
    assert {path.name for path in tmp_path.rglob("*") if path.name.startswith(".")} == set()


def test_a_full_disk_is_named(command, trained, tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")  # never the device itself: as root a mistake would replace it
    (tmp_path / "input.txt").write_text("1 2\n", encoding="utf-8")
    outcome = command("predict", f"run={trained}", "input=input.txt", "output=full")
    assert "no space left" in outcome.stopped(2, "full").lower()


def test_a_full_standard_output_is_named(apart, trained, tmp_path):
    (tmp_path / "input.txt").write_text("1 2\n", encoding="utf-8")
    outcome = apart("predict", f"run={trained}", "input=input.txt", before=write_to_full_disk)
    assert "no space left" in outcome.stopped(2).lower()


@pytest.mark.parametrize("folder", ["file/run", "file"])
def test_a_run_folder_that_cannot_be_made_is_named(train, tmp_path, reversal, folder):
    (tmp_path / "file").write_text("here\n", encoding="utf-8")
    train(*reversal, "model=gru", f"hydra.run.dir={folder}").stopped(2, "file")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "here\n"


def test_a_cache_that_cannot_be_made_is_named(train, tmp_path):
    (tmp_path / "file").write_text("here\n", encoding="utf-8")
    train("data=anki", "model=gru", "data.cache=file/cache").stopped(2, "file")
    assert_no_result(tmp_path)


@pytest.mark.parametrize(
    ("name", "typed", "named"),
    [
        ("train", "modle=gru", "no setting or group is named modle; did you mean model?"),
        ("train", "modl.width=64", "no setting or group is named modl.width; did you mean model.width?"),
        ("train", "model.widht=3", "no setting or group is named model.widht; did you mean model.width?"),
        ("train", "epochs=3", "no setting or group is named epochs; did you mean trainer.max_epochs?"),
        (
            "train",
            "data.path=x.tsv",
            "no setting or group is named data.path; data=anki, notes, pairs, parallel have it",
        ),
        ("train", "+model.widht=3", "model.widht: unknown key; Bahdanau takes attention, "),
        ("train", "+model.widht=3", "width; did you mean model.width?"),
        ("train", "+data.smaples=3", "data.smaples: unknown key; Reversal takes batch_size, "),
        ("predict", "formt=jsonl", "no setting or group is named formt; did you mean format?"),
        ("predict", "model=gru", "no setting or group is named model"),
        ("predict", "+model=gru", "no setting or group is named model"),
        ("evaluate", "+optimizer=sgd", "no setting or group is named optimizer"),
    ],
)
def test_an_unknown_name_gets_the_nearest_one_and_no_advice_that_does_not_help(command, trained, name, typed, named):
    given = {"train": ("seed=1",), "predict": (f"run={trained}", "input=x"), "evaluate": (f"run={trained}",)}
    assert "use +" not in command(name, *given[name], typed).stopped(2, named)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (["model", "=gru"], "error: model =gru: no blanks around the equals sign; type model=gru\n"),
        (["model", "=", "gru"], "error: model =: no blanks around the equals sign; type model=gru\n"),
        (["model=", "gru"], "error: model= gru: no blanks around the equals sign; type model=gru\n"),
        (["--model", "gru"], "error: --model: settings have no dashes; type model=gru\n"),
        (["--model.width=3"], "error: --model.width=3: settings have no dashes; type model.width=3\n"),
        (["model"], "error: model: no value; type model=…\n"),
    ],
)
def test_a_setting_typed_in_another_way_gets_the_way_to_type_it(command, typed, line):
    assert command("train", *typed).stopped(2) == line


def test_the_parts_of_a_group_that_may_be_left_out_are_named(command):
    command("train", "logger=null").stopped(2, "one of default, mlflow, wandb; logger.tensorboard=null leaves out")


def test_data_without_text_say_so_where_a_tokenizer_is_chosen(command):
    others = "choose data=anki, dates, hub, hub_text, notes, numbers, pairs, parallel"
    command("train", "tokenizer=word").stopped(2, "data=reversal has no tokenizer (its symbols are numbers)", others)
    command("train", "data=toy", "tokenizer=word").stopped(2, "data=toy has no tokenizer", others)
    command("describe", "data=toy", "tokenizer=word").stopped(2, "data=toy has no tokenizer", others)
    assert "data=" not in command("sweep", "tokenizer=word").stopped(2, "no setting or group is named tokenizer")


def test_a_long_list_of_options_fits_the_terminal(command):
    outcome = command("train", "experiment=nope", COLUMNS="80")
    lines = outcome.err.splitlines()
    assert len(lines) > 5 and max(map(len, lines)) <= 80
    assert all(line.startswith(" " * 7) for line in lines[1:])
    outcome.stopped(2, "toy_gru")


EARLY = """
import sys
from seqlab.{command} import main
sys.argv[1:] = {arguments}
try:
    main()
finally:
    print("imported:", *sorted({{"torch", "lightning", "numpy"}} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("train", ["+model.widht=3"]),
        ("train", ["+data.smaples=3"]),
        ("train", ["data=anki", "data.path=missing.tsv"]),
        ("describe", ["data=notes", "data.path=missing"]),
        ("predict", ["run=missing", "input=x"]),
        ("predict", [f"run={ROOT}/outputs/reference/reversal/gru", "input=missing"]),
        ("evaluate", ["run=missing"]),
        ("generate", ["run=missing", "prompt=x"]),
    ],
    ids=" ".join,
)
def test_what_is_misspelt_or_missing_is_named_before_anything_slow_is_imported(process, name, arguments):
    outcome = process("-c", EARLY.format(command=name, arguments=arguments))
    outcome.stopped(2)
    assert outcome.out.splitlines()[-1] == "imported:"


def test_what_has_to_be_typed_is_named(command, trained):
    command("predict", f"run={trained}").stopped(2, "input is not set; type input=…")


def test_a_run_that_would_train_nothing_is_refused_and_leaves_no_folder(train, tmp_path, reversal):
    train(*reversal, "model=gru", "trainer.max_epochs=0", "hydra.run.dir=new/run").stopped(2, "max_epochs", "but is 0")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("refused", ["optimizer.lr=-1", "scheduler.pct_start=2"])
def test_settings_that_are_refused_just_before_the_first_step_leave_everything_as_it_was(
    train, tmp_path, reversal, refused
):
    train(*reversal, "model=gru", "scheduler=one_cycle", refused, "hydra.run.dir=new/run").stopped(2)
    assert not (tmp_path / "new").exists()
    train(*reversal, "model=gru").succeeded()
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    train(*reversal, "model=gru", "scheduler=one_cycle", refused, "overwrite=true").stopped(2)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


# The whole story ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["data=anki", "data.path=missing.txt"], ["data.batch_size=0"]])
def test_a_traceback_is_shown_when_asked_for(train, arguments):
    with pytest.raises(InputError):
        train(*arguments, HYDRA_FULL_ERROR="1")


def test_a_process_shows_the_one_line_or_the_traceback(process):
    arguments = ("-m", "seqlab.predict", "foo=1")
    process(*arguments).stopped(2, "foo")
    full = process(*arguments, HYDRA_FULL_ERROR="1")
    assert full.code != 0
    assert "Traceback" in full.err


STOPPED = """
from seqlab.cli import run_command
from seqlab.errors import StoppedError

def task(config):
    raise StoppedError("go on later")

run_command("train", task)
"""


@pytest.mark.parametrize("full", ["0", "1"])
def test_a_stop_is_told_by_its_code_even_where_tracebacks_are_asked_for_as_for_trials_of_a_sweep(tmp_path, full):
    (tmp_path / "command.py").write_text(STOPPED)
    environment = {**os.environ, "HYDRA_FULL_ERROR": full}
    done = subprocess.run(
        [sys.executable, "command.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (130, "stopped: go on later")
