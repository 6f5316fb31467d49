"""Mean and deviation over seeds."""

import json
import math

from seqlab.runs.spread import Spread


def test_mean_and_sample_deviation():
    assert Spread.of([0.5, 0.75, 1.0]) == Spread(0.75, 0.25, [0.5, 0.75, 1.0])


def test_a_single_value_has_no_spread():
    assert Spread.of([2.0]) == Spread(2.0, 0.0, [2.0])


def test_what_is_not_finite_has_no_deviation():
    assert math.isnan(Spread.of([1.0, math.inf]).sd)


def test_the_deviation_is_written_without_a_sign_and_not_at_all_where_all_values_are_the_same():
    assert f"{Spread.of([0.5, 1.0]):.2%}" == "75.00% ± 35.36%"
    assert f"{Spread.of([-0.5, -1.0]):+.1f}" == "-0.8 ± 0.4"
    assert f"{Spread.of([3.0, 3.0]):+.1f}" == "+3.0"
    assert f"{Spread.of([7.0]):.3g}" == "7"


def test_a_reference_file_holds_it():
    spread = Spread.of([1.0, 4.0])
    assert Spread.from_json(json.loads(json.dumps(spread.to_json()))) == spread
    assert spread.to_json()["values"] == [1.0, 4.0]
