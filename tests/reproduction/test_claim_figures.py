"""Figures by name."""

import pytest

from seqlab.reproduction.claim_figures import figure, written
from seqlab.runs.spread import Spread


def test_a_figure_stands_where_its_name_says():
    digest = {"metrics": {"val": {"teacher_forced/loss": 2}}, "leakage": {"val": {"sentences": {"copies": None}}}}
    assert figure(digest, "metrics.val.teacher_forced/loss") == 2.0
    assert figure(digest, "leakage.val.sentences.copies") is None
    assert figure(digest, "leakage.test.sentences.copies") is None
    assert figure({"epochs": float("nan")}, "epochs") is None


def test_computed_figures_have_names_of_their_own():
    training = {"seconds": 7.0, "waited": 0.1, "peak_memory": 3 * 2**20, "flops": 5e11}
    digest = {"training": training, "steps": 350, "lengths": [1, 2, 10, 21], "correct": [1, 0, 0, 1]}
    assert figure(digest, "milliseconds_a_step") == pytest.approx(20.0)
    assert figure(digest, "mebibytes") == 3.0
    assert figure(digest, "teraflops") == 0.5
    assert figure(digest, "exact_match_of_length.1-10") == pytest.approx(1 / 3)
    assert figure(digest, "exact_match_of_length.11-") == 1.0


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
    assert written(name, Spread.of(values)) == text
