"""The README files: their worked example runs as it stands there, and their tables name everything."""

import json
import re
import shlex
import subprocess
import sys

import pytest
from processes import forked, fresh
from support import EXAMPLE, GUIDE, ROOT


@pytest.fixture
def example(tmp_path):
    """A folder with the files of the example."""
    for name, code in EXAMPLE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code, encoding="utf-8")
    configs = {"my_conf/model/bag.yaml", "my_conf/data/squares.yaml"}
    assert EXAMPLE.keys() == {"my_lab.py", "test_my_lab.py"} | configs
    return tmp_path


def test_an_architecture_and_a_dataset_of_ones_own_train_and_predict(example):
    (command,) = re.findall(r"^    python (-m seqlab.train --config-dir=my_conf .*)$", GUIDE, flags=re.MULTILINE)

    def succeeded(done):
        assert done.returncode == 0, done.stderr
        return done.stdout

    _, _, *arguments = command.split()
    assert "BagOfSymbols" in succeeded(fresh(example, *arguments, "hydra.run.dir=run"))
    line = json.loads((example / "run/result.json").read_text(encoding="utf-8"))["command"]
    assert ["-m", "seqlab.train", *shlex.split(line)[1:]] == command.split()
    succeeded(forked(example, "resume=run", "trainer.max_epochs=3"))
    assert "test" in succeeded(forked(example, "run=run", "splits=test", command="evaluate"))
    predicting = ("run=run", "input=-", "trust=[my_lab]")
    predicted = succeeded(forked(example, *predicting, command="predict", stdin="12\n7\n"))
    assert [line.split("\t")[0] for line in predicted.splitlines()] == ["12", "7"]


def test_an_architecture_of_ones_own_keeps_the_contract(example):
    (command,) = re.findall(r"^    python (-m pytest test_my_lab.py)$", GUIDE, flags=re.MULTILINE)
    done = subprocess.run([sys.executable, *command.split()], cwd=example, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b\d+ passed in", done.stdout), "nothing is skipped"


def test_the_guide_to_settings_names_every_option_of_every_group():
    guide = (ROOT / "conf/README.md").read_text(encoding="utf-8")
    table = guide.split("| group | options |")[1].split("\n\n")[0]
    for group in (ROOT / "conf").iterdir():
        if group.is_dir() and group.name not in ("hydra", "shared"):  # chosen by others
            (row,) = (line for line in table.splitlines() if line.startswith(f"| `{group.name}`"))
            models = "|".join(model.stem for model in (ROOT / "conf/model").glob("*.yaml"))
            named = [re.escape(name).replace("<model>", f"({models})") for name in re.findall(r"`([^`]+)`", row)]
            for option in group.glob("*.yaml"):
                assert any(re.fullmatch(name, option.stem) for name in named), f"{group.name}={option.stem}"
