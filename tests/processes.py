"""`seqlab-train` in a process of its own, so that a test can kill it where it likes."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

TROUBLE = str(Path(__file__).parent / "training")  # where signals.py is
LIMIT = 200  # seconds

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["lightning.pytorch", "tensorboard", "torchmetrics", "seqlab.training.run"])


class Done(NamedTuple):
    """The exit code (minus the signal that killed it) and both outputs."""

    returncode: int
    stdout: str
    stderr: str


def fresh(folder: Path, *arguments: str) -> Done:
    """Runs the command in `folder`, in a new interpreter: what starts processes itself (DDP) types the line again."""
    found = os.pathsep.join(filter(None, (TROUBLE, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": found, "HYDRA_FULL_ERROR": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "seqlab.train", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT, cwd=folder)
    return Done(done.returncode, done.stdout, done.stderr)


def nothing() -> None:
    """What is done before."""


def forked(folder: Path, *arguments: str, before: Callable[[], object] = nothing) -> Done:
    """The same, forked from a process that has imported torch and lightning: no test waits for that again.

    `before` is called in the new process first; it must be picklable.
    """
    with tempfile.TemporaryDirectory() as outputs:
        out, err = Path(outputs, "out"), Path(outputs, "err")
        process = SERVER.Process(target=_become, args=(folder, arguments, out, err, before))
        process.start()
        process.join(timeout=LIMIT)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"seqlab-train {' '.join(arguments)}: no end after {LIMIT} s\n{err.read_text()}")
        return Done(process.exitcode, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


def _become(folder: Path, arguments: tuple[str, ...], out: Path, err: Path, before: Callable[[], object]) -> None:
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.update(HYDRA_FULL_ERROR="0", OMP_NUM_THREADS="1")
    sys.path.append(TROUBLE)
    sys.argv = ["seqlab-train", *arguments]
    import torch

    torch.set_num_threads(1)
    before()
    from seqlab.train import main

    main()
