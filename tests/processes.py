"""Commands in a process of their own, so that a test can kill it where it likes."""

import importlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from fast_hydra import composed_once

from seqlab.interrupts import MODULES

TROUBLE = str(Path(__file__).parent / "training")  # where signals.py is
LIMIT = 200  # seconds

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        *("lightning.pytorch", "torchmetrics", "torch.utils.tensorboard", "torch.profiler", "beartype.door"),
        *("seqlab.cli", "seqlab.training.run", "seqlab.models.bahdanau", "seqlab.data.reversal"),
    ]
)


class Done(NamedTuple):
    """The exit code (minus the signal that killed it) and both outputs."""

    returncode: int
    stdout: str
    stderr: str


def unwrapped(text: str) -> str:
    """Printed errors and warnings, each in one line again."""
    return re.sub(r"\n {7,9}(?=\S)", " ", text)


def fresh(folder: Path, *arguments: str) -> Done:
    """Runs `python -m seqlab.train` in `folder`, in a new interpreter."""
    found = os.pathsep.join(filter(None, (TROUBLE, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": found, "HYDRA_FULL_ERROR": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "seqlab.train", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT, cwd=folder)
    return Done(done.returncode, done.stdout, done.stderr)


def nothing() -> None:
    """What is done before."""


class Files(NamedTuple):
    """What a process reads, and what it writes to."""

    stdin: Path
    stdout: Path
    stderr: Path


def started(
    folder: Path, *arguments: str, command: str, files: Files, before: Callable[[], object] = nothing
) -> BaseProcess:
    """The process that runs a command, forked from one that has imported torch and lightning.

    It takes itself for the script `seqlab-…`: what it starts itself (DDP) is a new interpreter that runs that.

    `before` is called in the new process first; it must be picklable.
    """
    process = SERVER.Process(target=_become, args=(folder, command, arguments, files, before))
    process.start()
    return process


def forked(
    folder: Path, *arguments: str, command: str = "train", stdin: str = "", before: Callable[[], object] = nothing
) -> Done:
    """The same for any command, without waiting for torch and lightning to be imported again; see `started`."""
    with tempfile.TemporaryDirectory() as name:
        files = Files(*(Path(name, part) for part in ("in", "out", "err")))
        files.stdin.write_text(stdin, encoding="utf-8")
        process = started(folder, *arguments, command=command, files=files, before=before)
        process.join(timeout=LIMIT)
        if process.exitcode is None:
            process.kill()
            line = " ".join([f"seqlab-{command}", *arguments])
            raise TimeoutError(f"{line}: no end after {LIMIT} s\n{files.stderr.read_text()}")
        return Done(process.exitcode, *(path.read_text(encoding="utf-8") for path in (files.stdout, files.stderr)))


def write_to_full_disk() -> None:
    """Leaves the process a standard output with no space left, which it learns of when it flushes."""
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # buffered, whatever PYTHONUNBUFFERED is


def stop_when_data_is_read(number: signal.Signals) -> None:
    """Leaves the process a reversal dataset that sends it a signal: that of Ctrl-C, or SIGTERM."""
    from seqlab.data.reversal import Reversal

    def stop(_: Reversal) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever runs the tests may have had ignored
        signal.raise_signal(number)

    Reversal.load = stop  # type: ignore[assignment,method-assign]


def _become(folder: Path, command: str, arguments: tuple[str, ...], files: Files, before: Callable[[], object]) -> None:
    for number, path in enumerate(files):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY), number)
    sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115  # multiprocessing has put another in its place
    os.chdir(folder)
    os.environ.update(HYDRA_FULL_ERROR="0", OMP_NUM_THREADS="1", COLUMNS="200")
    sys.path.append(TROUBLE)
    sys.argv = [str(Path(sys.executable).with_name(f"seqlab-{command}")), *arguments]
    import torch

    torch.set_num_threads(1)
    before()
    with composed_once(arguments):
        importlib.import_module(MODULES[command]).main()
