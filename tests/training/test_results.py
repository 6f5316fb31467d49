"""What a run prints of itself: values from outside are shown as they are."""

from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.inference.generation_outputs import Prediction
from seqlab.runs.result import RunResult, RunSeconds, TrainingCost
from seqlab.runs.small_splits import share_interval
from seqlab.training.results import (
    SAMPLES,
    behind_copying,
    print_summary,
    sample_line,
    samples,
    seeming_contradictions,
    small_splits,
)

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
    predictions = [Prediction(0, "[/x]", "\x1b[2Ja", "b\n", -1.0, False)]
    print_summary(RESULT, predictions, Path("runs/[bold]\x1b]0;a\x07"))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "\x07" not in printed
    for text in ("[red]val", "[/x]", r"[/x]  →  \x1b[2Ja  ≠  b\n", r"kept in runs/[bold]\x1b]0;a\x07"):
        assert text in printed


def test_of_a_long_continuation_the_beginning_is_shown():
    text = sample_line(Prediction(0, "a" * 99, "b\n" + "c" * 99, "d", -1.0, None))
    assert text.startswith("…" + "a" * 80 + "  →  ") and r"b\nccc" in text and "\n" not in text


@pytest.mark.parametrize(
    ("memory", "generation", "lines"),
    [
        (None, {}, ["5 TFLOP"]),
        (300 * 2**20, {}, ["5 TFLOP, at most 300 MiB of memory"]),
        (None, {"free_running": {"outputs": 0}}, ["5 TFLOP"]),
        (
            None,
            {"free_running": {"per_second": 1234.0}, "beam": {"per_second": 55.5}},
            ["5 TFLOP", "1,234 outputs generated per second, 55.5 with beam"],
        ),
    ],
)
def test_costs_are_printed_as_far_as_they_are_known(capsys, memory, generation, lines):
    training = replace(RESULT.training, peak_memory=memory)
    print_summary(replace(RESULT, training=training, generation=generation), outcomes(True), Path("run"))
    printed = " ".join(capsys.readouterr().out.split())
    assert " ".join([*lines, "kept in run"]) in printed


def outcomes(*matches):
    """Predictions from sources of one word, two words, …"""
    return [Prediction(i, " ".join("a" * (i + 1)), "b", "c", -1.0, match) for i, match in enumerate(matches)]


def test_samples_go_from_short_to_long_with_failures_among_them():
    predictions = outcomes(*[True] * 90, *[False] * 10)
    shown = samples(predictions[::-1])
    assert [one.row for one in shown] == [0, 30, 59, 89, 95]
    assert [one.match for one in shown] == [True, True, True, True, False]


def test_samples_have_a_success_among_many_failures():
    shown = samples(outcomes(*[False] * 50, True, *[False] * 49))
    assert [one.row for one in shown] == [0, 33, 50, 66, 99]
    assert [one.match for one in shown].count(True) == 1


def test_samples_of_one_kind_are_spread_over_all_lengths():
    assert [one.row for one in samples(outcomes(*[True] * 101))] == [0, 25, 50, 75, 100]
    assert [one.row for one in samples(outcomes(*[None] * 3))] == [0, 1, 2]


def test_few_predictions_are_all_shown():
    assert len(samples(outcomes(True, False, True, True))) == 4
    assert len(samples(outcomes(False, False, False, False, False, True))) == SAMPLES
    assert samples([]) == []


MATCH = {"free_running/exact_match": 0.5, "free_running/bleu": 12.0}


def test_a_small_test_set_is_pointed_out_with_the_uncertainty_of_its_exact_match():
    metrics = {"train": MATCH, "val": MATCH, "test": MATCH}
    few = replace(RESULT, metrics=metrics, measured={"train": 10, "val": 100, "test": 40})
    (line,) = small_splits(few)
    assert line.startswith("test has only 40 examples: its exact match of 50%")
    assert line.endswith("anything from 35% to 65% (95 % interval)")
    assert share_interval(1.0, 10) == pytest.approx((0.722, 1.0), abs=1e-3)


@pytest.mark.parametrize(
    ("accuracy", "match", "lines"), [(1.0, 0.9667, 1), (0.99999, 0.9667, 1), (1.0, 1.0, 0), (0.99, 0.9, 0)]
)
def test_a_token_accuracy_of_everything_beside_a_lower_exact_match_is_explained(accuracy, match, lines):
    metrics = {"test": {"free_running/token_accuracy": accuracy, "free_running/exact_match": match}}
    explained = seeming_contradictions(metrics)
    assert len(explained) == lines and all("beyond the target's end do not count" in one for one in explained)
    assert seeming_contradictions({"test": {"teacher_forced/loss": 1.0}}) == []


def test_a_model_that_copying_beats_is_said_to_be_behind():
    metrics = {"copy_nearest/token_bleu": 8.04, "free_running/token_bleu": 0.02}
    (line,) = behind_copying({"train": {"free_running/token_bleu": 0.1}, "val": metrics, "test": metrics})
    assert line.endswith("beats it on test: token BLEU 8.04 against 0.02")
    assert behind_copying({"test": metrics | {"free_running/token_bleu": 9.0}}) == behind_copying({"test": {}}) == []


@pytest.mark.parametrize(("reference", "behind"), [("word", False), ("two words", True)])
def test_a_model_is_behind_copying_only_by_a_metric_that_is_shown(capsys, reference, behind):
    metrics = MATCH | {"copy_nearest/token_bleu": 8.04, "free_running/token_bleu": 0.02}
    print_summary(
        replace(RESULT, metrics={"test": metrics}), [Prediction(0, "a", "b", reference, -1.0, False)], Path("run")
    )
    assert ("beats it on test" in capsys.readouterr().out) == behind


@pytest.mark.parametrize(("reference", "shown"), [("word", False), ("two words", True), ("犬猫", True)])
def test_bleu_of_single_words_is_not_shown(capsys, reference, shown):
    one = Prediction(0, "a", "b", reference, -1.0, False)
    print_summary(replace(RESULT, metrics={"test": MATCH}), [one], Path("run"))
    printed = capsys.readouterr().out
    assert "exact_match" in printed and ("bleu" in printed) == shown
    assert "1 epoch, 2 steps in" in " ".join(printed.split())


def test_text_from_right_to_left_stays_on_its_side():
    line = sample_line(Prediction(0, "Hi.", "שלום", "مرحبا", -1.0, False))
    assert line == "Hi.  →  \u2068שלום\u2069  ≠  \u2068مرحبا\u2069"
