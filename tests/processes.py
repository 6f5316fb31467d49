"""Commands in a process of their own, so that a test can kill it where it likes."""

import importlib
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
    """Runs `seqlab-train` in `folder`, in a new interpreter: what starts processes itself (DDP) repeats the line."""
    found = os.pathsep.join(filter(None, (TROUBLE, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": found, "HYDRA_FULL_ERROR": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "seqlab.train", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT, cwd=folder)
    return Done(done.returncode, done.stdout, done.stderr)


def nothing() -> None:
    """What is done before."""


def forked(
    folder: Path, *arguments: str, command: str = "train", stdin: str = "", before: Callable[[], object] = nothing
) -> Done:
    """The same for any command, forked from a process that has imported torch and lightning: no test waits for that
    again.

    `before` is called in the new process first; it must be picklable.
    """
    with tempfile.TemporaryDirectory() as name:
        files = Files(*(Path(name, part) for part in ("in", "out", "err")))
        files.stdin.write_text(stdin, encoding="utf-8")
        process = SERVER.Process(target=_become, args=(folder, command, arguments, files, before))
        process.start()
        process.join(timeout=LIMIT)
        if process.exitcode is None:
            process.kill()
            line = " ".join([f"seqlab-{command}", *arguments])
            raise TimeoutError(f"{line}: no end after {LIMIT} s\n{files.stderr.read_text()}")
        return Done(process.exitcode, *(path.read_text(encoding="utf-8") for path in (files.stdout, files.stderr)))


class Files(NamedTuple):
    """What a process reads, and what it writes to."""

    stdin: Path
    stdout: Path
    stderr: Path


def _become(folder: Path, command: str, arguments: tuple[str, ...], files: Files, before: Callable[[], object]) -> None:
    for number, path in enumerate(files):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY), number)
    sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115  # multiprocessing has put another in its place
    os.chdir(folder)
    os.environ.update(HYDRA_FULL_ERROR="0", OMP_NUM_THREADS="1")
    sys.path.append(TROUBLE)
    sys.argv = [f"seqlab-{command}", *arguments]
    import torch

    torch.set_num_threads(1)
    before()
    importlib.import_module(f"seqlab.{command}").main()
