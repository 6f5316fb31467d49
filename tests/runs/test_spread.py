"""Mean and deviation over seeds."""

import math

from seqlab.runs.spread import spread


def test_mean_and_sample_deviation():
    assert spread([0.5, 0.75, 1.0]) == {"mean": 0.75, "sd": 0.25, "values": [0.5, 0.75, 1.0]}


def test_a_single_value_has_no_spread():
    assert spread([2.0]) == {"mean": 2.0, "sd": 0.0, "values": [2.0]}


def test_what_is_not_finite_has_no_deviation():
    assert math.isnan(spread([1.0, math.inf])["sd"])
