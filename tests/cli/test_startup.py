"""The command lines answer at once (without torch), everywhere, and their whole configuration composes."""

import os
import re
import runpy
import signal
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from support import ROOT

from seqlab import interrupts
from seqlab.interrupts import COMMANDS

SCRIPTS = Path(sys.executable).parent
PROBE = """
import sys
from {module} import main
name = sys.argv[0]
for arguments in (["--help"], ["--cfg", "job"], ["foo=1"]):
    sys.argv = [name, *arguments]
    try:
        code = main()
    except SystemExit as stop:
        code = stop.code
    heavy = {{"torch", "numpy", "lightning", "pytorch_lightning", "torchmetrics", "sentencepiece", "tensorboard"}}
    heavy |= {{"optuna", "rich", "beartype", "regex", "seqlab.text.tokenizers", "seqlab.runs"}}
    print("ended:", code or 0, *sorted(heavy & set(sys.modules)))
"""
CONF = ROOT / "conf"
OPTIONS = sorted(p.relative_to(CONF).with_suffix("") for p in CONF.glob("*/*.yaml"))
EXPERIMENTS = [option for option in OPTIONS if option.parts[0] == "experiment" and option.name != "none"]
SHARED = [option for option in OPTIONS if option.parts[0] == "shared"]  # which others choose


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_do_not_compute_import_no_torch(process, command):
    outcome = process("-c", PROBE.format(module=interrupts.MODULES[command])).succeeded()
    shown, settings, _ = outcome.out.split("ended: ")[:3]
    named = {"describe": "data", "sweep": "study", "reproduce": "claims"}.get(command, "run")
    assert named in shown and named in settings
    assert "foo" in outcome.err
    assert re.findall("^ended: (.*)$", outcome.out, re.MULTILINE) == ["0", "0", "2"]


@pytest.mark.parametrize(
    ("program", "typed", "is_one"),
    [
        ("/venv/bin/seqlab-train", ["python", "/venv/bin/seqlab-train", "-m", "model=gru,lstm"], True),
        ("-m", ["python", "-u", "-m", "seqlab.predict", "run=x"], True),
        ("-m", ["python", "-m", "seqlab.past_runs"], True),
        ("-m", ["python", "-m", "pytest", "seqlab.train"], False),
        ("-m", ["python", "-m", "seqlab.data.download"], False),
        ("-c", ["python", "-c", "import seqlab"], False),
        ("", ["python"], False),
    ],
)
def test_ctrl_c_is_left_alone_where_seqlab_is_a_library(monkeypatch, program, typed, is_one):
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.setattr(sys, "orig_argv", typed)
    assert interrupts._is_command() == is_one


SLOW_IMPORT = """
import os, signal, sys, time
sys.argv[0], when = "seqlab-{command}", "{module}"

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == when:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(30)

signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever runs the tests may have had ignored
sys.meta_path.insert(0, Slow())
from seqlab.{command} import main
main()
"""


@pytest.mark.parametrize("module", ["omegaconf", "hydra", "torch"])
def test_ctrl_c_during_imports_ends_a_command_with_one_line(process, tmp_path, module):
    outcome = process("-c", SLOW_IMPORT.format(command="train", module=module), "trainer=cpu")
    assert (outcome.code, outcome.err) == (130, "stopped\n")
    assert list(tmp_path.rglob(".hydra")) == []


@pytest.fixture
def default_sigterm():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def test_sigterm_ends_a_forked_process_at_once_while_its_parent_may_clean_up(default_sigterm):
    with pytest.raises(KeyboardInterrupt), interrupts.terminated_as_by_ctrl_c():
        if (child := os.fork()) == 0:
            signal.raise_signal(signal.SIGTERM)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_who_handles_sigterm_goes_on_to_do_so(default_sigterm):
    received = []

    def ours(number, frame):
        received.append(number)

    signal.signal(signal.SIGTERM, ours)
    with interrupts.terminated_as_by_ctrl_c():
        signal.raise_signal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with interrupts.terminated_as_by_ctrl_c():
        signal.signal(signal.SIGTERM, ours)  # as a callback does that training begins with
    signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGTERM] * 2


TRAINS = {
    *("lightning", "pytorch_lightning", "torchmetrics", "tensorboard", "torch.utils.tensorboard"),
    *("torch._dynamo", "torch._inductor", "sympy", "optuna"),
}
OTHERS = {"transformers", "scipy", "sklearn", "pandas", "matplotlib", "PIL", "beartype", "sacrebleu", "rapidfuzz"}
"""Libraries that come with others, where they are installed, and those that only few commands need."""
REFERENCE = ROOT / "outputs/reference/reversal"
UNUSED = [
    ("predict", [f"run={REFERENCE / 'bahdanau'}", "input=three.txt"], {*TRAINS, *OTHERS, "rich", "seqlab.runs"}),
    ("predict", [f"run={REFERENCE / 'transformer'}", "input=three.txt"], {*TRAINS, *OTHERS, "rich", "seqlab.runs"}),
    ("generate", [f"run={REFERENCE / 'gpt'}", "prompt=3 1 2", "length=3"], {*TRAINS, *OTHERS, "rich", "seqlab.runs"}),
    ("sweep", ["status"], {*(TRAINS - {"optuna"}), *OTHERS, "torch"}),
]
"""Commands, and what they need not import to do their work."""


@pytest.mark.parametrize(("command", "arguments", "unused"), UNUSED)
def test_a_command_imports_only_what_it_uses(process, tmp_path, command, arguments, unused):
    """Lightning or `torch._dynamo` alone take longer to import than all the rest of a prediction."""
    (tmp_path / "three.txt").write_text("3 1 2\n")
    script = f"import sys\nfrom seqlab.{command} import main\nsys.argv = ['', *{arguments!r}]\nmain()\n"
    outcome = process("-c", f"{script}print('imported:', *sorted({unused!r} & set(sys.modules)))")
    assert "imported:" in outcome.succeeded().out.splitlines()


def test_every_script_is_among_the_commands():
    scripts = {one.name for one in entry_points(group="console_scripts") if one.name.startswith("seqlab-")}
    assert scripts == {f"seqlab-{name}" for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_module_is_the_same_as_its_script(help_of, monkeypatch, capsys, name):
    (script,) = entry_points(group="console_scripts", name=f"seqlab-{name}")
    module = interrupts.MODULES[name]
    assert script.value == f"{module}:main"
    monkeypatch.setattr(sys, "argv", [f"seqlab-{name}", "--help"])
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_module(module, run_name="__main__")
    assert capsys.readouterr().out == help_of(name)


def test_scripts_and_modules_start_in_processes_of_their_own(process):
    module = process("-m", "seqlab.train", "--help").succeeded()
    script = process(SCRIPTS / "seqlab-train", "--help").succeeded()
    assert module.out == script.out != ""


def groups_in(text):
    """The groups that a help text lists, each with its options."""
    lists = text.partition("Groups (choose")[2].partition("\n\n")[2].partition("\n\n")[0].replace("\n  ", " ")
    return {name: options.split(", ") for name, _, options in (line.partition(": ") for line in lists.splitlines())}


def test_help_lists_groups_and_settings(help_of):
    out = help_of("train")
    groups = {path.parent.name for path in CONF.glob("*/*.yaml")} - {"shared"}  # which nobody chooses from
    assert groups_in(out).keys() == groups | {"sweeps"}
    options = {option for some in groups_in(out).values() for option in some}
    assert {"gru", "toy_gru", "reversal_grid"} <= options
    assert {option for option in options if option.startswith("_")} == set()
    assert "seqlab-train" in out
    assert "max_epochs: 20" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_examples_and_settings_and_lists_only_groups_that_the_command_reads(command, help_of, name):
    out = help_of(name)
    assert out.startswith(f"seqlab-{name} ")
    head, settings, _ = out.partition("\nSettings ")
    assert settings and "Groups" not in head
    assert f"\n  seqlab-{name} " in head
    composed = OmegaConf.create(command(name, "--cfg", "hydra").succeeded().out)
    read = {group for group in composed.hydra.runtime.choices if "/" not in group and "@" not in group}
    of_data = {"tokenizer"} if "data" in read else set()
    assert groups_in(out).keys() == read | of_data | ({"sweeps"} if name == "train" else set())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_the_commands_own_settings(help_of, name):
    settings = help_of(name).partition("key=value):\n\n")[2].partition("\n\n")[0]
    printed = re.findall(r"^(\w+):", settings, re.M)
    own = [key for key in OmegaConf.load(CONF / f"{name}.yaml") if key not in ("defaults", "hydra")]
    assert len(own) >= 4
    assert printed[: len(own)] == own


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_a_few_words_on_each_setting(help_of, name):
    settings = help_of(name).partition("key=value):\n\n")[2].partition("\n\n")[0].splitlines()
    own = [key for key in OmegaConf.load(CONF / f"{name}.yaml") if key not in ("defaults", "hydra")]
    explained = [line.partition(":")[0] for i, line in enumerate(settings) if "# " in line or "# " in settings[i - 1]]
    groups = ("initialisation", "objective", "free_running", "average", "data")
    assert [key for key in own if key not in explained and key not in groups] == []
    if name == "train":
        inner = ("  checkpoints", "  max_epochs", "  width", "  lr", "  samples", "  batch_size", "  max_length")
        assert set(inner) <= set(explained)
        assert "  order_seed: ${seed}  # of the order of training batches" in settings


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_terminal_of_80_columns(help_of, name):
    assert [line for line in help_of(name).splitlines() if len(line) > 80] == []


def test_help_lists_options_of_a_folder_of_ones_own(command, tmp_path):
    (tmp_path / "mine/decoding").mkdir(parents=True)
    (tmp_path / "mine/decoding/my_beam.yaml").write_text("width: 3\n", encoding="utf-8")
    for flag in (f"--config-dir={tmp_path}/mine", f"hydra.searchpath=[file://{tmp_path}/mine]"):
        assert "my_beam" in groups_in(command("predict", flag, "--help").succeeded().out)["decoding"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("seqlab-train model=l", {"model=lstm", "model=luong"}),
        ("seqlab-train data=an", {"data=anki"}),
        ("seqlab-train data=", {f"data={path.stem}" for path in (CONF / "data").glob("*.yaml")}),
        ("seqlab-train experiment=toy", {"experiment=toy_gru"}),
        ("seqlab-train model_size=", {"model_size=base", "model_size=none", "model_size=small"}),
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


@pytest.mark.parametrize("option", [option for option in OPTIONS if option not in EXPERIMENTS + SHARED], ids=str)
def test_every_option_composes(command, option):
    group, name = option.parts
    beside = ["data=anki"] if group == "tokenizer" else []  # which is of text
    config = OmegaConf.create(command("train", f"{group}={name}", *beside, "--cfg", "job").succeeded().out)
    assert {"data", "model", "optimizer", "trainer", "callbacks", "logger", "decoding", "seed"} <= set(config)
    assert "_target_" in config.data


def test_an_experiment_is_shown_with_its_references_resolved(command):
    """That every one resolves is seen in `test_experiments`."""
    shown = command("train", "experiment=reversal_bahdanau", "--cfg", "job", "--resolve").succeeded().out
    assert "${" not in shown
    assert OmegaConf.create(shown).name == "reversal_bahdanau"


@pytest.mark.parametrize(
    ("variables", "spins"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "passive"}, "0")],
    ids=["by default", "as set", "as the policy says"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="torch comes with GNU OpenMP on Linux only")
def test_waiting_threads_do_not_spin_for_long(process, monkeypatch, variables, spins):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)  # set by a command that another test has called
    threads = {"OMP_NUM_THREADS": "2", "OMP_DISPLAY_ENV": "verbose"}  # OpenMP prints what it has read when it is loaded
    run = f"run={REFERENCE / 'gpt'}"
    outcome = process(SCRIPTS / "seqlab-generate", run, "prompt=3 1 2", "length=3", **threads, **variables).succeeded()
    assert re.findall(r"GOMP_SPINCOUNT = '(\d+)'", outcome.err) == [spins]
