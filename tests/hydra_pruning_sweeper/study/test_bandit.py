"""The bandit rule on curves made up by hand."""

import math

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from hydra_pruning_sweeper.study.bandit import BanditPruner

COMPLETE, RUNNING = TrialState.COMPLETE, TrialState.RUNNING


def stops(values, *others, direction="minimize", **settings):
    """Whether a trial with these values is stopped after the last, beside (state, values) of others."""
    study = optuna.create_study(direction=direction)
    for state, curve in (*others, (RUNNING, values)):
        value = curve[-1] if state != RUNNING else None
        study.add_trial(create_trial(state=state, value=value, intermediate_values=dict(enumerate(curve, 1))))
    pruner = BanditPruner(**{"max_resource": 9, "min_resource": 1, **settings})
    return pruner.prune(study, study.get_trials()[-1])


GOOD = (COMPLETE, [4.0, 2.0, 1.0])


def test_a_loss_may_be_so_many_times_the_incumbents_after_as_many_validations():
    assert stops([10.1], GOOD)
    assert not stops([10.0], GOOD)  # as far as it may be
    assert not stops([9.0, 5.0], GOOD)
    assert stops([9.0, 5.1], GOOD)
    assert stops([9.0, 4.1], GOOD, slack=2)
    assert not stops([4.0, 9.0], GOOD)  # its best value counts, which is that of the first


def test_nothing_is_stopped_before_a_third():
    assert not stops([99.0, 99.0], GOOD, min_resource=3)
    assert stops([99.0, 99.0, 99.0], GOOD, min_resource=3)


def test_the_first_trial_and_one_without_values_go_on():
    assert not stops([99.0])
    assert not stops([], GOOD)
    assert not stops([99.0], (TrialState.PRUNED, [1.0]))  # a stopped one is no incumbent


def test_the_incumbent_is_the_best_at_its_end_and_may_run():
    quick, slow = (COMPLETE, [1.0, 1.0, 1.0]), (COMPLETE, [8.0, 4.0, 0.5])
    assert not stops([19.0], quick, slow)  # 2.5 × 8
    assert stops([20.1], quick, slow)
    assert stops([20.1], (RUNNING, [8.0, 4.0, 0.5]))
    assert not stops([20.1, 20.1], (RUNNING, [1.0]))  # not as far yet
    assert stops([9.0, 9.0, 9.0], (COMPLETE, [3.0, 2.0]))  # stopped early, with its best value


def test_ties_go_on():
    assert not stops([4.0], GOOD, slack=1.0)
    assert stops([4.01], GOOD, slack=1.0)


def test_what_is_not_a_number_stops_and_is_no_incumbent():
    assert stops([math.nan], GOOD) and stops([math.nan])
    assert not stops([math.nan, 3.0], GOOD)
    assert not stops([99.0], (COMPLETE, [math.nan, 3.0]))


SCORES = [(COMPLETE, [one]) for one in (0.9, 0.8, 0.7, 0.6)]


def test_a_metric_that_is_maximized_may_be_worse_by_so_many_spreads():
    # With 0.5, the values' median is 0.7 and their deviations are 0.2, 0.1, 0, 0.1, 0.2: 0.1 in the median.
    assert not stops([0.5], *SCORES, direction="maximize", slack=4.01)
    assert stops([0.5], *SCORES, direction="maximize", slack=3.9)
    assert not stops([0.95], *SCORES, direction="maximize", slack=0.1)
    assert not stops([0.1], *SCORES[:1], direction="maximize", slack=0.1)  # of two values there is no spread
    assert not stops([0.1], *[(COMPLETE, [0.5])] * 4, direction="maximize", slack=0.1)  # nor of equal ones


def test_what_is_minimized_but_not_positive_is_judged_by_spread():
    losses = [(COMPLETE, [one]) for one in (-9.0, -8.0, -7.0, -6.0)]
    assert stops([-5.0], *losses, slack=3.9)
    assert not stops([-5.0], *losses, slack=4.01)
    assert stops([5.0], *[(COMPLETE, [one]) for one in (1.0, 2.0, 3.0, 4.0)], slack=3.9, scale="spread")
    assert not stops([2.0], *[(COMPLETE, [one]) for one in (-1.0, -2.0)], slack=6, scale="factor")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scale": "other"}, "scale must be auto, factor or spread, but is other"),
        ({"slack": 0}, "slack must be above 0"),
        ({"slack": 0.5, "scale": "factor"}, "at least 1 as a factor, but is 0.5"),
        ({"min_resource": 10}, "min_resource must be from 1 to max_resource, but is 10"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        BanditPruner(**{"max_resource": 9, "min_resource": 1, **settings})
