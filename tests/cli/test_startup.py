"""The command lines answer at once (without torch), everywhere, and their whole configuration composes."""

import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from support import ROOT

COMMANDS = ("train", "evaluate", "predict", "generate", "describe", "sweep", "reproduce", "report")
SCRIPTS = Path(sys.executable).parent
PROBE = """
import sys
from seqlab.{command} import main
try:
    main()
finally:
    heavy = {{"torch", "lightning", "pytorch_lightning", "torchmetrics", "sentencepiece", "tensorboard", "optuna"}}
    print("imported:", *sorted(heavy & set(sys.modules)))
"""
CONF = ROOT / "conf"
OPTIONS = sorted(p.relative_to(CONF).with_suffix("") for p in CONF.glob("*/*.yaml"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("arguments", "code"), [(["--help"], 0), (["--cfg", "job"], 0), (["foo=1"], 2)], ids=["help", "cfg", "error"]
)
def test_commands_that_do_not_compute_import_no_torch(process, command, arguments, code):
    outcome = process("-c", PROBE.format(command=command), *arguments)
    assert outcome.code == code, outcome.err
    named = {"describe": "data", "sweep": "study", "reproduce": "claims"}.get(command, "run")
    assert ("foo" if code else named) in outcome.out + outcome.err
    assert outcome.out.splitlines()[-1].split() == ["imported:"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_module_is_the_same_as_its_script(process, command):
    module = process("-m", f"seqlab.{command}", "--help").succeeded()
    script = process(SCRIPTS / f"seqlab-{command}", "--help").succeeded()
    assert module.out == script.out


def test_help_lists_groups_and_settings(command):
    out = command("train", "--help").succeeded().out
    groups = {path.parent.name for path in CONF.glob("*/*.yaml")}
    assert {group for group in groups if f"{group}:" not in out} == set()
    options = {option for line in out.partition("Settings")[0].splitlines() for option in line.split()}
    assert {option for option in options if option.startswith("_")} == set()
    assert "seqlab-train" in out
    assert "max_epochs: 20" in out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("seqlab-train model=l", {"model=lstm", "model=luong"}),
        ("seqlab-train data=an", {"data=anki"}),
        ("seqlab-train data=", {"data=anki", "data=notes", "data=parallel", "data=reversal", "data=toy"}),
        ("seqlab-train experiment=toy", {"experiment=toy_gru"}),
        ("seqlab-train trainer.max_ep", {"trainer.max_epochs="}),
        ("seqlab-train -m +sweeps=rev", {"+sweeps=reversal_bahdanau", "+sweeps=reversal_grid"}),
    ],
)
def test_the_shell_completes(command, line, expected):
    outcome = command("train", "-sc", "query=bash", COMP_LINE=line, COMP_POINT=str(len(line) + 1)).succeeded()
    assert expected == set(outcome.out.split())


def test_a_conf_folder_where_it_is_called_does_not_matter(command, tmp_path):
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/train.yaml").write_text("mine: 1\n", encoding="utf-8")
    (tmp_path / "conf/model/gru.yaml").write_text("mine: 1\n", encoding="utf-8")
    assert "mine" not in command("train", "model=gru", "--cfg", "job").succeeded().out


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_every_option_composes(command, option):
    group, name = option.parts
    beside = {"tokenizer": ["data=anki"], "sizes": ["model=" + name.partition("_")[2]]}  # where an option belongs
    where = "sizes@model" if group == "sizes" else group
    trainer, _, experiment = name.partition("_")
    larger = [f"trainer={trainer}", f"experiment={experiment}"]  # which choose it themselves
    arguments = larger if group == "larger" else [f"{where}={name}", *beside.get(group, [])]
    config = OmegaConf.create(command("train", *arguments, "--cfg", "job").succeeded().out)
    assert {"data", "model", "optimizer", "trainer", "callbacks", "logger", "decoding", "seed"} <= set(config)
    assert "_target_" in config.data


@pytest.mark.parametrize(
    "name", [option.name for option in OPTIONS if option.parts[0] == "experiment" and option.name != "none"]
)
def test_every_experiment_is_a_whole_configuration(command, name):
    config = OmegaConf.create(command("train", f"experiment={name}", "--cfg", "job", "--resolve").succeeded().out)
    assert config.name == name
