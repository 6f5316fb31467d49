"""Calling the command lines: in this process, where torch is imported already, or in one of their own."""

import contextlib
import functools
import importlib
import io
import logging
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest
import torch
from fast_hydra import composed_once
from processes import forked, nothing, unwrapped

from seqlab.interrupts import MODULES

TINY = (
    "trainer=cpu",
    "trainer.max_epochs=1",
    "trainer.log_every_n_steps=1",
    "model.width=8",
    "optimizer.lr=0.03",
)
GPT = ("model=gpt", "model.heads=2", "model.layers=1", "model.feed_forward=8", "model.max_positions=12")
REVERSAL = (
    "data=reversal",
    "data.largest=5",
    "data.min_length=2",
    "data.max_length=4",
    "data.samples=100",
    "data.batch_size=4",
)


TEXT = (
    "The ferry leaves at seven. It is late today, for there is fog on the river, and the captain waits. Anna has put"
    " her bicycle against the rail and counts the gulls. When she has come to forty, the bell rings. A boy with a dog"
    " runs down the hill and is the last on board. Then the ropes are thrown, and the town grows small."
)


class Outcome(NamedTuple):
    """What a command left: its exit code and its two outputs."""

    code: int
    out: str
    err: str

    def succeeded(self):
        """Itself, if the command did."""
        assert self.code == 0, self.err
        return self

    def stopped(self, code, *named):
        """The one error with which the command stopped, in one line; it holds all of `named`."""
        assert (self.code, "Traceback" in self.err) == (code, False), f"exit code {self.code}: {self.err}"
        assert self.err.startswith("stopped: " if code == 130 else "error: ")
        line = unwrapped(self.err)
        assert len(line.splitlines()) == 1, self.err
        assert [text for text in named if text not in line] == [], self.err
        return line


@contextlib.contextmanager
def warnings_in(file):
    """Shows warnings as Python does outside of tests."""
    with warnings.catch_warnings():
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        warnings.showwarning = lambda text, category, name, line, *_: file.write(
            warnings.formatwarning(text, category, name, line)
        )
        yield


def in_process(command, *arguments, folder, environment, stdin=""):
    """Calls an entry point and undoes what it does to the process."""
    main = importlib.import_module(MODULES[command]).main
    out, err = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with (
            mock.patch.dict(os.environ, {"HYDRA_FULL_ERROR": "0", **environment}),
            mock.patch.object(sys, "argv", [f"seqlab-{command}", *map(str, arguments)]),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))),
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings_in(err),
            composed_once(arguments),
        ):
            main()
        code = 0
    except SystemExit as stop:
        code = 0 if stop.code is None else stop.code
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for number, handler in signals.items():
            signal.signal(number, handler)
    return Outcome(code, out.getvalue(), err.getvalue())


@pytest.fixture
def command(tmp_path):
    """Calls `seqlab-<name>` with arguments in the test's folder (or `folder`) and gives its Outcome."""

    def call(name, *arguments, folder=tmp_path, stdin="", **environment):
        return in_process(name, *arguments, folder=folder, environment=environment, stdin=stdin)

    return call


@pytest.fixture(scope="session")
def help_of(tmp_path_factory):
    """What `seqlab-<name> --help` says on a terminal of 80 columns, asked once."""
    folder = tmp_path_factory.mktemp("help")

    @functools.cache
    def asked(name):
        return in_process(name, "--help", folder=folder, environment={"COLUMNS": "80"}).succeeded().out

    return asked


@pytest.fixture
def train(command):
    """Calls `seqlab-train` for a tiny run into the folder `run`; arguments that come later win."""

    def call(*arguments, **environment):
        return command("train", *TINY, "hydra.run.dir=run", *arguments, **environment)

    return call


@pytest.fixture
def process(tmp_path):
    """Runs Python with arguments in a process of its own and gives its Outcome."""

    def call(*arguments, folder=tmp_path, stdin="", **environment):
        environment = {**os.environ, "HYDRA_FULL_ERROR": "0", "OMP_NUM_THREADS": "1", **environment}
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=folder,
            env=environment,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def apart(tmp_path):
    """Calls `seqlab-<name>` in a process of its own, which has torch imported already, and gives its Outcome."""

    def call(name, *arguments, stdin="", before=nothing):
        return Outcome(*forked(tmp_path, *map(str, arguments), command=name, stdin=stdin, before=before))

    return call


@pytest.fixture(scope="session")
def tiny():
    """Settings of a tiny run."""
    return TINY


@pytest.fixture(scope="session")
def reversal():
    """Settings of a small reversal dataset: two to four integers 1 to 5."""
    return REVERSAL


@pytest.fixture(scope="session")
def training(tmp_path_factory):
    """One tiny run on reversals that all tests share: its folder (look, don't touch) and its Outcome."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    arguments = (*TINY, *REVERSAL, "model=gru", "hydra.run.dir=run")
    outcome = in_process("train", *arguments, folder=folder, environment={"COLUMNS": "200"})
    return folder / "run", outcome.succeeded()


@pytest.fixture(scope="session")
def trained(training):
    """The folder of the shared run; don't touch."""
    return training[0]


@pytest.fixture(scope="session")
def writer(tmp_path_factory):
    """The folder of a tiny run on blocks of 12 characters of a stream; don't touch."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("writer")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    data = ("data=notes", "data.path=text.txt", "data.split=tail", "data.boundaries=none", "tokenizer=character")
    arguments = (*TINY, *data, "data.length=12", "data.batch_size=4", *GPT, "hydra.run.dir=run")
    in_process("train", *arguments, folder=folder, environment={}).succeeded()
    return folder / "run"


@pytest.fixture
def copy(trained, tmp_path):
    """A copy of the shared run, to do anything with."""
    return Path(shutil.copytree(trained, tmp_path / "copy"))
