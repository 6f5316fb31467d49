"""How long a multirun still takes, by hand."""

import pytest

from hydra_pruning_sweeper.trial.pace import PACE_FILE, Pace
from seqlab.multiruns.pace_estimate import PaceEstimate

OVERRIDES = {"a": ["model=gru", "seed=1"], "b": ["model=gru", "seed=2"], "c": ["model=lstm", "seed=1"]}


@pytest.fixture
def folders(tmp_path):
    folders = {name: tmp_path / name for name in OVERRIDES}
    for folder in folders.values():
        folder.mkdir()
    return folders


def test_nothing_is_known_before_a_run_trains(folders):
    estimate = PaceEstimate(folders, OVERRIDES, [])
    assert estimate.seconds_left(["a", "b"], {"a": 3.0}) == []
    Pace(0, 0.0, None, 90.0).write(folders["a"] / PACE_FILE)
    assert estimate.seconds_left(["a", "b"], {"a": 3.0}) == []


def test_a_run_that_trains_goes_on_at_its_pace_and_others_take_as_long_as_those_most_like_them(folders):
    estimate = PaceEstimate(folders, OVERRIDES, [])
    Pace(10, 4.0, None, 90.0).write(folders["a"] / PACE_FILE)  # a tenth after 5 seconds: 50 in all
    assert estimate.seconds_left(["a", "b", "c"], {"a": 5.0}) == [45.0, 50.0, 50.0]
    estimate.ended("c", 20.0, resumed=False)
    assert estimate.seconds_left(["a", "b"], {"a": 5.0, "b": 1.0}) == [45.0, 49.0]


def test_what_a_resumed_run_took_says_nothing_of_whole_runs(folders):
    estimate = PaceEstimate(folders, OVERRIDES, ["a"])
    estimate.ended("c", 20.0, resumed=False)
    Pace(10, 4.0, None, 10.0).write(folders["a"] / PACE_FILE)
    assert estimate.seconds_left(["a", "b"], {"a": 5.0}) == [5.0, 20.0]
    estimate.ended("a", 10.0, resumed=True)
    assert estimate.seconds_left(["b"], {}) == [20.0]


def test_a_run_without_an_end_gives_no_estimate(folders):
    Pace(10, 4.0, None, None).write(folders["a"] / PACE_FILE)
    assert PaceEstimate(folders, OVERRIDES, []).seconds_left(["a"], {"a": 5.0}) == []
