"""Student's interval, against a table of the distribution and a simulation of means."""

import random
import statistics

import pytest

from seqlab.runs.student import interval_of_mean, quantile


@pytest.mark.parametrize(("freedom", "value"), [(0.5, 12.706), (1, 12.706), (4, 2.776), (4.9, 2.776), (1000, 2.042)])
def test_the_quantile_is_never_too_small(freedom, value):
    assert quantile(freedom) == value


def test_the_interval_holds_the_mean_in_ninety_five_of_a_hundred_draws():
    generator = random.Random(1)
    draws = [interval_of_mean([generator.gauss(7.0, 2.0) for _ in range(4)]) for _ in range(4000)]
    assert statistics.fmean(low <= 7.0 <= high for low, high in draws) == pytest.approx(0.95, abs=0.01)


def test_one_value_has_no_interval():
    assert interval_of_mean([3.0]) is None
