"""No printed line is wider than a terminal of 80 columns, but a path or a command, which are there to be copied."""

import pytest

COMMANDS = ("predict with ", "continue with ", "run it with ", "train with ", "watch with ")
NUMBERS = ("data=numbers", "data.samples=60", "data.batch_size=8")


def too_wide(text):
    """The lines of more than 80 columns, or with blanks at their end, that hold more than a path or a command."""
    lines = text.splitlines()
    wide = [line for line in lines if len(line) > 80 and " " in line.strip() and not line.startswith(COMMANDS)]
    return wide + [line for line in lines if line != line.rstrip()]


def test_a_training_with_many_metrics_and_leakage(train):
    out = train(*NUMBERS, "model=gru", "free_running.samples=2", COLUMNS="80").succeeded().out
    assert too_wide(out) == []
    (epoch,) = (i for i, line in enumerate(out.splitlines()) if line.startswith("epoch "))
    both = " ".join(line.strip() for line in out.splitlines()[epoch : epoch + 2])
    names = ("train loss", "val loss", "token accuracy", "exact match", "chrF")
    assert [name for name in names if f" {name} " not in both] == []
    assert "leakage     val sources: " in out
    assert out.count("model       gru, ") == 1


def test_a_wide_terminal_has_one_line_per_epoch(train):
    out = train(*NUMBERS, "model=gru", COLUMNS="120").succeeded().out
    (epoch,) = (line for line in out.splitlines() if line.startswith("epoch "))
    assert "  chrF " in epoch and epoch.endswith(" s")


@pytest.mark.parametrize(
    "described",
    [
        NUMBERS,
        ("model=gru", "data.samples=60"),
        ("model=transformer", "data.samples=60"),
        ("data=anki", "tokenizer=character"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_is_described(command, described):
    out = command("describe", *described, COLUMNS="80").succeeded().out
    assert len(out.splitlines()) > 10
    assert too_wide(out) == []


def test_an_evaluation(command, copy):
    out = command("evaluate", f"run={copy}", "trainer=cpu", "splits=[val,test]", COLUMNS="80").succeeded().out
    assert "kept in" in out
    assert too_wide(out) == []


def test_a_comparison(command, tiny, reversal, tmp_path):
    folder = f"hydra.sweep.dir={tmp_path}/{'long_' * 8}/of_both"
    runs = ("-m", *tiny, *reversal, "model=gru,lstm", "trainer.max_steps=1", "hydra/launcher=basic", folder)
    out = command("train", *runs, COLUMNS="80").succeeded().out
    assert "kept in" in out
    assert too_wide(out) == []
