"""What a run shows while it trains: on a terminal, and in a pipe."""

import functools
import io
import logging
import re
import sys
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from seqlab.data.toy import IntegerPairs
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.training_module import trainable
from seqlab.training.callbacks import progress
from seqlab.training.callbacks.printing import print_line
from seqlab.training.callbacks.progress import UNTIMED_STEPS, Bar, Progress

PAIRS = [["1 2 3", "3 2 1"], ["4 5", "5 4"], ["6", "6"], ["7 8", "8 7"]]
QUIET = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, "accelerator": "cpu"}


class Terminal(io.StringIO):
    """A terminal as far as a program can tell."""

    encoding = "utf-8"

    def isatty(self):
        return True


class Talks(Callback):
    """Prints before training; prints and warns in the middle of it."""

    def on_train_start(self, trainer, module):
        print("data        four pairs")

    def on_train_batch_end(self, trainer, module, *args):
        if trainer.global_step == 3:
            print_line("    a sample")
            logging.getLogger().warning("a warning")


class Interrupts(Callback):
    def on_train_batch_end(self, trainer, module, *args):
        if trainer.global_step == 3:
            raise ValueError("broken")


def screen(written):
    """The lines that stay on a terminal: what follows a carriage return is written over what is there."""
    lines = []
    for line in written.replace("\x1b[A", "").split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return [line for line in lines if line]


@pytest.fixture
def fit(monkeypatch, tmp_path):
    """Trains on four batches per epoch; gives what was written to `stdout`, where log messages go, too."""

    def call(stdout, *callbacks, every_n_steps=None, evaluate=False, resumed=None, **limits):
        handler = logging.StreamHandler(stdout)
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
        data = IntegerPairs(PAIRS, cache=tmp_path, batch_size=1, eval_batch_size=2)
        data.setup("fit")
        model = trainable(FixedVector)(data.source_size, data.target_size, width=5)
        model.configure_training(functools.partial(torch.optim.SGD, lr=0.1))
        trainer = Trainer(callbacks=[*callbacks, Progress(every_n_steps)], num_sanity_val_steps=0, **QUIET, **limits)
        trainer.fit(model, data, ckpt_path=resumed, weights_only=True)
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        if evaluate:
            trainer.test(model, [data.evaluation_loader(split) for split in ("val", "test")], verbose=False)
        return stdout.getvalue()

    logging.disable(logging.INFO)  # Lightning tells of its devices
    yield call
    logging.disable(logging.NOTSET)


def test_on_a_terminal_lines_stay_and_bars_go(fit):
    lines = screen(fit(Terminal(), Talks(), max_epochs=2, evaluate=True))
    assert lines[:3] == ["data        four pairs", "    a sample", "a warning"]
    assert [re.sub(r"\d+\.\d+", "X", line) for line in lines[3:]] == [
        "epoch   1/2  train loss X  val loss X  X s",
        "epoch   2/2  train loss X  val loss X  X s",
    ]


def test_the_bar_is_over_the_whole_run(fit):
    written = fit(Terminal(), max_epochs=3)
    assert "/12 [" in written
    assert "epoch   3/3: " in written
    assert "validating: " in written


def test_the_bar_ends_where_the_steps_are_limited(fit):
    written = fit(Terminal(), max_epochs=-1, max_steps=6)
    assert "/6 [" in written


def test_the_bar_of_a_resumed_run_begins_where_the_run_does(fit, tmp_path, monkeypatch):
    """What was done before counts as done, and not as done in no time, which would promise an early end."""
    fit(Terminal(), max_epochs=1)
    bars = []
    monkeypatch.setattr(progress, "Bar", lambda **how: bars.append(Bar(**how)) or bars[-1])
    fit(Terminal(), max_epochs=2, resumed=tmp_path / "last.ckpt")
    (bar,) = bars
    assert (bar.initial, bar.n, bar.total) == (4, 8, 8)


@pytest.mark.parametrize("initial", [0, 700])
def test_slow_first_steps_are_left_out_of_the_remaining_time_which_is_unknown_before(monkeypatch, initial):
    clock, shown = [0.0], {}
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    bar = Bar(total=initial + 200, initial=initial, file=Terminal())
    for step in range(1, 101):
        clock[0] += 30.0 if step <= UNTIMED_STEPS else 0.5
        bar.update()
        shown[step] = str(bar)
    assert all("<?, ?" in shown[step] for step in range(1, 2 * UNTIMED_STEPS))
    assert "<01:30, " in shown[2 * UNTIMED_STEPS]  # 180 steps of half a second
    assert "<00:50, " in shown[100]
    assert "2.00it/s" in shown[100]


def test_evaluating_has_a_bar_over_all_splits(fit):
    assert re.search(r"evaluating: .*/4 \[", fit(Terminal(), max_epochs=1, evaluate=True))


def test_a_pipe_gets_lines_alone(fit):
    written = fit(io.StringIO(), Talks(), max_epochs=2, evaluate=True)
    assert "\r" not in written
    assert [line.split()[0] for line in written.splitlines()] == ["data", "a", "a", "epoch", "epoch"]


def test_every_n_steps_the_loss_is_printed_instead(fit):
    written = fit(io.StringIO(), every_n_steps=3, max_epochs=2)
    assert [line.split()[:3] for line in written.splitlines()] == [["step", "3", "loss"], ["step", "6", "loss"]]


def test_the_bar_is_gone_before_an_error_is_printed(fit):
    stdout = Terminal()
    with pytest.raises(ValueError, match="broken"):
        fit(stdout, Interrupts(), max_epochs=2)
    assert screen(stdout.getvalue()) == []
