"""What all tests share: where the checkout is, README's example, and how types are checked while they run."""

import re
import socket
import subprocess
import sys
from pathlib import Path

from beartype import BeartypeConf, beartype

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "src/seqlab/models/README.md").read_text(encoding="utf-8")
"""How to write an architecture or a dataset of one's own, by an example."""
EXAMPLE = dict(re.findall(r"```(?:python|yaml)\n# (\S+\.(?:py|yaml))\n(.*?)```", GUIDE, flags=re.DOTALL))
"""Of that example: every file whose name a code block begins with, and what is in it."""

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int will do for a float


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def built_wheel(project, folder):
    """The wheel of a project, built into `folder` with what is installed."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, project]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = Path(folder).glob("*.whl")
    return path


def prepared(data):
    """A dataset, set up for training."""
    data.prepare_data()
    data.setup("fit")
    return data


def pair_texts(data, split):
    """The source of each pair of a split, with its references."""
    return [(data.source_text(split, row), *data.references(split, row)) for row in range(len(data.examples[split]))]
