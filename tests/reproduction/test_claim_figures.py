"""Figures by name."""

import numpy as np
import pytest

from seqlab.reproduction.claim_figures import figure, written
from seqlab.runs.spread import spread


def test_a_figure_stands_where_its_name_says():
    digest = {"metrics": {"val": {"teacher_forced/loss": 2}}, "leakage": {"val": {"sentences": {"copies": None}}}}
    assert figure(digest, "metrics.val.teacher_forced/loss") == 2.0
    assert figure(digest, "leakage.val.sentences.copies") is None
    assert figure(digest, "leakage.test.sentences.copies") is None
    assert figure({"epochs": float("nan")}, "epochs") is None


def test_computed_figures():
    digest = {
        "training": {"seconds": 7.0},
        "steps": 350,
        "metrics": {"train": {"teacher_forced/loss": 1.5}, "val": {"teacher_forced/loss": 2.0}},
        "curve": [
            {"epoch": 1, "val/teacher_forced/loss": 3.0},
            {"epoch": 2, "val/teacher_forced/loss": 2.0},
            {"epoch": 3, "val/teacher_forced/loss": 2.5, "train/teacher_forced/loss": 0.1},
            {"epoch": 4, "train/teacher_forced/loss": 0.1},
        ],
    }
    assert figure(digest, "milliseconds_a_step") == pytest.approx(20.0)
    assert figure(digest, "gap") == pytest.approx(0.5)
    assert figure(digest, "best_epoch") == 2
    assert [figure({}, name) for name in ("milliseconds_a_step", "gap", "best_epoch", "slope_by_length")] == [None] * 4


def test_the_speed_of_a_run_that_shared_its_cores_is_no_figure():
    training = {"tokens_per_second": 97.0, "seconds": 50.0}

    def speed(**waited: float) -> float | None:
        run = {"name": "a", "seed": 1, "metrics": {}, "training": training | waited}
        return figure(run, "tokens_per_second")

    assert speed(waited=1.5) == 97.0
    assert speed(waited=7.5) is None
    assert speed() is None


def test_memory_and_the_speed_of_generation_are_figures_where_they_are_known():
    run = {"training": {"peak_memory": 3 * 2**20}, "generation": {"free_running": {"per_second": 7.0}}}
    assert figure(run, "mebibytes") == 3.0
    assert figure(run, "outputs_per_second") is None  # how long it waited for a core was not recorded
    run["generation"]["free_running"] |= {"waited": 0.1, "seconds": 2.0}
    assert figure(run, "outputs_per_second") == 7.0
    assert [figure({"training": {}}, name) for name in ("mebibytes", "outputs_per_second")] == [None, None]


def test_the_slope_by_length_is_that_of_weighted_least_squares_over_the_mean():
    counts, middles, bleu = [13, 29, 7], [3.0, 8.5, 17.0], [31.0, 23.0, 11.0]
    rows = [
        {"from": 1, "to": 5, "count": 13, "bleu": 31.0, "exact_match": 0.9},
        {"from": 6, "to": 11, "count": 29, "bleu": 23.0, "exact_match": 0.9},
        {"from": 12, "to": 22, "count": 7, "bleu": 11.0, "exact_match": 0.9},
    ]
    (slope, _) = np.polyfit(middles, bleu, 1, w=np.sqrt(counts))
    assert figure({"by_length": {"rows": rows}}, "slope_by_length") == pytest.approx(
        slope / np.average(bleu, weights=counts)
    )


def test_a_metric_of_sources_of_some_lengths_is_computed_from_their_examples():
    digest = {"lengths": [1, 2, 10, 11, 11, 20, 21], "correct": [1, 0, 1, 1, 0, 0, 1]}
    names = ("1-10", "11-20", "21-", "2-2", "30-")
    found = [figure(digest, f"exact_match_of_length.{name}") for name in names]
    assert found == [pytest.approx(2 / 3), pytest.approx(1 / 3), 1.0, 0.0, None]
    good, bad = [9, 9, 9, 8, 7, 6, 9, 8, 7, 6], [9, 9, 9, 8, 7, 6, 0, 0, 0, 0]
    digest = {"lengths": [3, 25], "bleu_statistics": [good, bad]}
    assert figure(digest, "token_bleu_of_length.1-9") > figure(digest, "token_bleu_of_length.21-")
    assert figure({"lengths": [3]}, "token_bleu_of_length.1-9") is None


def test_twice_the_quality_with_the_same_shape_has_the_same_slope():
    def rows(scale):
        return [{"from": n, "to": n, "count": 5, "bleu": scale * (30 - n)} for n in range(1, 12)]

    slopes = [figure({"by_length": {"rows": rows(scale)}}, "slope_by_length") for scale in (1, 2)]
    assert slopes[0] == pytest.approx(slopes[1])
    assert slopes[0] < 0


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("metrics.test.free_running/exact_match", [0.5, 1.0], "75.00% ± 35.36%"),
        ("metrics.val.teacher_forced/loss", [4.6476], "4.648"),
        ("metrics.test.free_running/bleu", [21.0, 22.0], "21.50 ± 0.71"),
        ("metrics.test.free_running/bleu", [0.00033], "0.0003"),
        ("parameters", [1234567, 1234567], "1,234,567"),
        ("leakage.val.sentences.ngrams.10", [0.0011], "0.11%"),
        ("slope_by_length", [-0.0213], "-2.13%"),
        ("exact_match_of_length.11-20", [0.5], "50.00%"),
        ("token_bleu_of_length.21-", [21.5], "21.50"),
    ],
)
def test_figures_are_written_with_as_many_digits_as_a_reader_wants(name, values, text):
    assert written(name, spread(values)) == text
