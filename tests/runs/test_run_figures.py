"""Figures computed from a digest."""

import numpy as np
import pytest

from seqlab.runs.run_figures import (
    best_epoch,
    gap,
    mean_over_lengths,
    mebibytes,
    milliseconds_a_step,
    of_length,
    outputs_per_second,
    slope_by_length,
    tokens_per_second,
    training_seconds,
)

EXACT, BLEU = "exact_match", "token_bleu"


def test_gap_and_best_epoch():
    digest = {
        "metrics": {"train": {"teacher_forced/loss": 1.5}, "val": {"teacher_forced/loss": 2.0}},
        "curve": [
            {"epoch": 1, "val/teacher_forced/loss": 3.0},
            {"epoch": 2, "val/teacher_forced/loss": 2.0},
            {"epoch": 3, "val/teacher_forced/loss": 2.5, "train/teacher_forced/loss": 0.1},
            {"epoch": 4, "train/teacher_forced/loss": 0.1},
        ],
    }
    assert gap(digest) == pytest.approx(0.5)
    assert best_epoch(digest) == 2
    assert [figure({}) for figure in (milliseconds_a_step, gap, best_epoch, slope_by_length)] == [None] * 4


@pytest.mark.parametrize("figure", [training_seconds, milliseconds_a_step, tokens_per_second])
def test_times_of_a_run_that_shared_its_cores_are_no_figures(figure):
    training = {"tokens_per_second": 97.0, "seconds": 50.0}
    alone, shared, unknown = (
        {"steps": 350, "training": training | more} for more in ({"waited": 1.5}, {"waited": 7.5}, {})
    )
    assert figure(alone) is not None
    assert [figure(shared), figure(unknown)] == [None, None]


def test_the_time_of_a_step_is_that_of_training_without_validation():
    assert milliseconds_a_step({"training": {"seconds": 7.0, "waited": 0.1}, "steps": 350}) == pytest.approx(20.0)
    assert milliseconds_a_step({"training": {"seconds": 7.0, "waited": 0.1}}) is None


def test_memory_and_the_speed_of_generation_are_figures_where_they_are_known():
    run = {"training": {"peak_memory": 3 * 2**20}, "generation": {"free_running": {"per_second": 7.0}}}
    assert mebibytes(run) == 3.0
    assert outputs_per_second(run) is None  # how long it waited for a core was not recorded
    run["generation"]["free_running"] |= {"waited": 0.1, "seconds": 2.0}
    assert outputs_per_second(run) == 7.0
    assert [figure({"training": {}}) for figure in (mebibytes, outputs_per_second)] == [None, None]


def test_the_slope_by_length_is_that_of_weighted_least_squares_over_the_mean():
    counts, middles, bleu = [13, 29, 7], [3.0, 8.5, 17.0], [31.0, 23.0, 11.0]
    rows = [
        {"from": 1, "to": 5, "count": 13, "bleu": 31.0, "exact_match": 0.9},
        {"from": 6, "to": 11, "count": 29, "bleu": 23.0, "exact_match": 0.9},
        {"from": 12, "to": 22, "count": 7, "bleu": 11.0, "exact_match": 0.9},
    ]
    (slope, _) = np.polyfit(middles, bleu, 1, w=np.sqrt(counts))
    mean = np.average(bleu, weights=counts)
    digest = {"by_length": {"rows": rows}}
    assert slope_by_length(digest) == pytest.approx(slope / mean)
    assert mean_over_lengths("bleu")(digest) == pytest.approx(mean)


def test_twice_the_quality_with_the_same_shape_has_the_same_slope():
    def rows(scale):
        return [{"from": n, "to": n, "count": 5, "bleu": scale * (30 - n)} for n in range(1, 12)]

    slopes = [slope_by_length({"by_length": {"rows": rows(scale)}}) for scale in (1, 2)]
    assert slopes[0] == pytest.approx(slopes[1])
    assert slopes[0] < 0


def test_a_metric_of_sources_of_some_lengths_is_computed_from_their_examples():
    bins = [{"from": 1, "to": 10, "count": 3, "exact_match": 0.25}]
    digest = {"lengths": [1, 2, 10, 11, 11, 20, 21], "correct": [1, 0, 1, 1, 0, 0, 1], "by_length": {"rows": bins}}
    found = [of_length(EXACT, *ends)(digest) for ends in ((1, 10), (11, 20), (21,), (2, 2), (30,))]
    assert found == [pytest.approx(2 / 3), pytest.approx(1 / 3), 1.0, 0.0, None]
    good, bad = [9, 9, 9, 8, 7, 6, 9, 8, 7, 6], [9, 9, 9, 8, 7, 6, 0, 0, 0, 0]
    digest = {"lengths": [3, 25], "bleu_statistics": [good, bad]}
    assert of_length(BLEU, 1, 9)(digest) > of_length(BLEU, 21)(digest)
    assert of_length(BLEU, 1, 9)({"lengths": [3]}) is None


def test_exact_match_of_some_lengths_is_that_of_the_ranges_within_where_there_are_no_examples():
    rows = [
        {"from": 1, "to": 5, "count": 13, "exact_match": 0.9, "bleu": 31.0},
        {"from": 6, "to": 10, "count": 29, "exact_match": 0.5, "bleu": 23.0},
        {"from": 11, "to": 22, "count": 7, "exact_match": 0.25, "bleu": 11.0},
    ]
    digest = {"by_length": {"rows": rows}}
    assert of_length(EXACT, 1, 10)(digest) == pytest.approx((13 * 0.9 + 29 * 0.5) / 42)
    assert of_length(EXACT, 11)(digest) == 0.25
    assert of_length(EXACT, 23)(digest) is None
    assert of_length(EXACT, 1, 8)(digest) is of_length(EXACT, 9)(digest) is None  # 6 to 10 would be in neither
    assert of_length(BLEU, 1, 10)(digest) is None
    del rows[1]["exact_match"]
    assert of_length(EXACT, 1, 10)(digest) is None
