"""The course of a run, from rows as `metrics.csv` has them."""

import itertools

import pytest

from seqlab.runs.curve import POINTS, curve
from seqlab.runs.result import RunResult, TrainingCost
from seqlab.runs.run_figures import best_epoch

BARE = RunResult(name="a", seed=1, metrics={"val": {}})
TRAINING = TrainingCost(tokens=400, seconds=10.0, flops=2e6, tokens_per_second=40.0)
RESULT = RunResult(name="a", seed=1, metrics={"val": {}}, steps=20, training=TRAINING)


def test_an_entry_a_validation_without_what_was_measured_in_the_end():
    rows = [
        {"step": 4, "lr-Adam": 0.1},
        {"step": 4, "epoch": 0, "train/step_loss": 3.5, "train/gradient_norm": 1.0},
        {"step": 9, "epoch": 0, "val/teacher_forced/loss": 3.0, "val/free_running/exact_match": 0.25},
        {"step": 9, "epoch": 0, "train/teacher_forced/loss": 3.2},
        {"step": 14, "epoch": 1, "val/teacher_forced/loss": 2.5},  # a validation within an epoch
        {"step": 19, "epoch": 1, "val/teacher_forced/loss": 2.0},
        {"step": 19, "epoch": 1, "train/teacher_forced/loss": 2.2},
        {"step": 20, "epoch": 2, "train/teacher_forced/loss": 1.9, "train/teacher_forced/perplexity": 6.7},
    ]
    first, within, last = curve(rows, RESULT)
    assert first == {
        **{"step": 10, "epoch": 1, "tokens": 200, "seconds": 5.0, "flops": 1e6},
        **{"val/teacher_forced/loss": 3.0, "val/free_running/exact_match": 0.25, "train/teacher_forced/loss": 3.2},
    }
    assert (within["step"], within["epoch"], within["seconds"]) == (15, 2, 7.5)
    assert (last["step"], last["epoch"], last["tokens"]) == (20, 2, 400)
    assert last["train/teacher_forced/loss"] == 2.2  # of training, not of measuring


def test_a_long_run_keeps_its_end_and_even_distances():
    rows = [{"step": i, "epoch": i, "val/teacher_forced/loss": 1 / (i + 1)} for i in range(1009)]
    steps = [point["step"] for point in curve(rows, BARE)]
    assert (len(steps), steps[-1]) == (POINTS, 1009)
    assert {b - a for a, b in itertools.pairwise(steps)} == {10, 11}


@pytest.mark.parametrize("best", [0, 150, 298])
def test_a_long_run_keeps_its_best_validation_too(best):
    rows = [{"step": i, "epoch": i, "val/teacher_forced/loss": 1.0 + abs(i - best)} for i in range(300)]
    rows += [{"step": i, "epoch": i, "train/teacher_forced/loss": 1.0} for i in range(300, 303)]
    digest = {"curve": curve(rows, BARE)}
    steps = [point["step"] for point in digest["curve"]]
    assert best_epoch(digest) == best + 1 and (len(steps), steps[-1]) == (POINTS, 303) and steps == sorted(steps)


def test_what_is_not_finite_is_left_out():
    (point,) = curve([{"step": 4, "epoch": 0, "val/teacher_forced/loss": 800.0, "val/x": float("inf")}], BARE)
    assert point == {"step": 5, "epoch": 1, "val/teacher_forced/loss": 800.0}


def test_a_run_that_logged_nothing_has_none():
    assert curve([], RESULT) == []
