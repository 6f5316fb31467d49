"""Bundles of somebody else's, wherever one is read: no module is imported that nobody trusts."""

import json
import sys

import pytest
import torch

import seqlab
from seqlab.errors import InputError
from seqlab.kinds import Trust
from seqlab.runs.run_digest import digest
from seqlab.training.callbacks.checkpoints import read_checkpoint

MODULE = """
open({path!r}, "a").close()
from seqlab.decoding import Greedy
from seqlab.models.fixed_vector import FixedVector
from seqlab.text.tokenizers import IntegerTokenizer
class Model(FixedVector): pass
class Search(Greedy): pass
class Integers(IntegerTokenizer): pass
"""
NAMED = {
    "model": lambda bundle, tokenizers: bundle["model"].update(kind="canary_lab:Model"),
    "search": lambda bundle, tokenizers: bundle["search"].update(kind="canary_lab:Search"),
    "tokenizer": lambda bundle, tokenizers: tokenizers[1].update(kind="canary_lab:Integers"),
}


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A file that appears when `canary_lab` is imported, which lies where the command is typed and in the run."""
    monkeypatch.setattr(sys, "path", list(sys.path))  # commands add their folders
    yield tmp_path / "imported"
    sys.modules.pop("canary_lab", None)


@pytest.fixture
def hostile(copy, tmp_path, canary):
    """The copied run, whose bundle names classes of `canary_lab`."""

    def call(*parts, inside=True):
        for folder in [tmp_path, *([copy, copy / "bundle"] if inside else [])]:
            (folder / "canary_lab.py").write_text(MODULE.format(path=str(canary)), encoding="utf-8")
        paths = [copy / "bundle" / name for name in ("bundle.json", "tokenizers.json")]
        contents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        for part in parts:
            NAMED[part](*contents)
        for path, content in zip(paths, contents, strict=True):
            path.write_text(json.dumps(content), encoding="utf-8")
        (tmp_path / "input.txt").write_text("1 2\n", encoding="utf-8")
        (tmp_path / "conf").mkdir()
        return copy

    return call


@pytest.mark.parametrize("part", NAMED)
def test_predicting_imports_nothing_that_is_not_trusted(command, hostile, canary, tmp_path, part):
    run = hostile(part)
    arguments = (f"--config-dir={tmp_path / 'conf'}", f"run={run}", f"input={tmp_path / 'input.txt'}", "output=out.tsv")
    for folder in (tmp_path, run, run / "bundle"):
        command("predict", *arguments, folder=folder).stopped(2, "canary_lab", "not trusted", "trust=[canary_lab]")
    assert not canary.exists() and not list(tmp_path.rglob("out.tsv"))


def test_generating_loading_and_starting_from_weights_import_nothing(command, train, hostile, canary, reversal):
    run = hostile("model")
    command("generate", f"run={run}", "prompt='1 2'").stopped(2, "canary_lab", "not trusted")
    train(*reversal, "model=gru", f"initial_weights={run}").stopped(2, "initial_weights", "canary_lab", "not trusted")
    with pytest.raises(InputError, match=r"canary_lab.*not trusted"):
        seqlab.load(run)
    assert not canary.exists()


def test_the_page_imports_nothing_that_is_not_trusted(command, hostile, canary, tmp_path, monkeypatch):
    monkeypatch.setattr("seqlab.report._diagrams", dict)
    run = hostile("model", "tokenizer")
    command("report", f"runs=[{run}]", "output=page.html").succeeded()
    assert (tmp_path / "page.html").exists() and not canary.exists()
    digest(run, Trust.of("canary_lab"))
    assert not canary.exists()  # it would come with the run
    for folder in (run, run / "bundle"):
        (folder / "canary_lab.py").unlink()
    (run / "digest.json").unlink()
    command("report", f"runs=[{run}]", "output=page.html", "trust=[canary_lab]").succeeded()
    assert canary.exists()


def test_what_is_trusted_predicts(command, hostile, canary):
    run = hostile(*NAMED, inside=False)
    arguments = ("predict", f"run={run}", "input=input.txt", "output=out.tsv")
    command(*arguments, "trust=canary_lab").succeeded()
    assert canary.exists()
    command(*arguments, SEQLAB_TRUST="other,canary_lab").succeeded()
    assert seqlab.load(run, trust=["canary_lab"]).predict(["1 2"])
    command(*arguments, "trust=[canary_lab.models]").stopped(2, "trust must be a list of packages")
    command(*arguments, "trust=[nowhere]").stopped(2, "canary_lab", "not trusted")


def test_a_trusted_package_that_came_with_the_bundle_is_refused(command, hostile, canary):
    run = hostile("model")
    arguments = (f"run={run}", "input=../input.txt", "trust=[canary_lab]")
    command("predict", *arguments, folder=run).stopped(2, "canary_lab would come with the bundle")
    assert not canary.exists()


def test_a_bundle_carries_no_replacement_of_an_installed_package(process, copy, tmp_path):
    bundle = copy / "bundle"
    for name in ("safetensors", "sentencepiece", "regex", "beartype", "torchmetrics", "onnx", "hydra_plugins/canary"):
        path = bundle / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"open({str(tmp_path / 'imported')!r}, 'w').close()\nraise SystemExit(3)\n", encoding="utf-8")
    main = "from seqlab.predict import main; main()"  # as the command does: -P leaves out the current folder
    process("-P", "-c", main, "run=.", "input=-", folder=bundle, stdin="1 2\n").succeeded()
    assert not (tmp_path / "imported").exists()


def test_ones_own_run_whose_class_is_gone_is_one_line(command, copy):
    path = copy / "bundle/bundle.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"fixed_vector"', '"gone_lab:Model"'), encoding="utf-8")
    command("evaluate", f"run={copy}", "trainer=cpu").stopped(2, "gone_lab:Model, which cannot be imported here")
    checkpoint = copy / "checkpoints/last.ckpt"
    content = read_checkpoint(checkpoint)
    content["run"]["settings"]["model"]["_target_"] = "gone_lab.Model"
    torch.save(content, checkpoint)
    gone = ("trainer.max_epochs=2", "model._target_=gone_lab.Model")
    command("train", f"resume={copy}", *gone).stopped(2, "model._target_", "gone_lab.Model", "cannot be imported")
