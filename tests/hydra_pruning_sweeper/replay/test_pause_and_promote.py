"""Pause and promote, step by step on curves whose order is known."""

from optuna.samplers import RandomSampler

from hydra_pruning_sweeper.replay.curves import Curve, Grid
from hydra_pruning_sweeper.replay.pause_and_promote import PausedTraining, pause_and_promote, promotable


def training(value, epochs, length=9):
    return PausedTraining({}, [value] * length, epochs)


def test_the_best_of_the_highest_rung_goes_on_first():
    at_one = [training(value, 1) for value in (3.0, 1.0, 2.0)]
    assert promotable(at_one[:2], [1, 3], 3) is None  # a third of two is none
    assert promotable(at_one, [1, 3], 3) is at_one[1]
    ahead = [training(value, 3) for value in (0.3, 0.1, 0.2)]
    assert promotable([*at_one, *ahead], [1, 3], 3) is ahead[1]
    gone = training(0.0, 9)
    # Of four that were at rung 3, the one that may go on has gone; of seven at rung 1, the best two have as well.
    assert promotable([*at_one, *ahead, gone], [1, 3], 3) is None
    assert promotable([*at_one, *(training(9.0, 1) for _ in range(8)), gone], [1, 3], 3) is at_one[1]


def test_one_that_stopped_early_at_a_rung_is_not_promoted():
    ended = training(1.0, 3, length=3)
    assert promotable([ended, training(2.0, 3), training(3.0, 3)], [3], 3) is None


def test_a_search_pays_for_segments_and_only_complete_trials_count():
    grid = Grid([Curve({"lr": at}, [10.0 + at - step / 10 for step in range(9)], [1.0] * 9) for at in range(9)])
    search = pause_and_promote(lambda seed: RandomSampler(seed=seed), first=3)
    trace = search(grid, 0, lambda trace: False)
    costs = [b - a for a, b in zip([0, *trace.trials], trace.trials, strict=False)]
    assert costs[:3] == [3, 3, 3] and costs[3] == 6  # the best of three goes on at once
    assert costs.count(3) == 9  # all of the grid, each paused once
    assert trace.epochs == 27 + 6 * costs.count(6) and 3 <= costs.count(6) < 9
    assert trace.scores[0][0] == 10  # the first epoch after its promotion
    assert trace.best(trace.epochs) == 10.0 - 0.8
    assert search(grid, 0, lambda trace: trace.epochs >= 9).epochs == 9
