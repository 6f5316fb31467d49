"""What a run prints of itself: values from outside are shown as they are."""

from pathlib import Path

from seqlab.inference.generation_outputs import Prediction
from seqlab.runs.result import RunResult, RunSeconds, TrainingCost
from seqlab.training.results import print_summary, sample

RESULT = RunResult(
    name="a",
    seed=1,
    metrics={"[red]val": {"[/x]": 1.0}},
    epochs=1,
    steps=2,
    seconds=RunSeconds(fit=1.0, measure=1.0),
    weights="best",
    training=TrainingCost(tokens=3, tokens_per_second=4.0, flops=5e12),
)


def test_markup_is_shown_and_steers_nothing(capsys):
    samples = [Prediction(0, "[/x]", "\x1b[2Ja", "b\n", -1.0, False)]
    print_summary(RESULT, samples, Path("runs/[bold]\x1b]0;a\x07"))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "\x07" not in printed
    for text in ("[red]val", "[/x]", r"[/x]  →  \x1b[2Ja  ≠  b\n", r"kept in runs/[bold]\x1b]0;a\x07"):
        assert text in printed


def test_of_a_long_continuation_the_beginning_is_shown():
    text = sample(Prediction(0, "a" * 99, "b\n" + "c" * 99, "d", -1.0, None))
    assert text.startswith("…" + "a" * 80 + "  →  ") and r"b\nccc" in text and "\n" not in text
