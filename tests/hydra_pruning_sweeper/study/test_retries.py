"""Which failed trials are tried again, and when a study has failed."""

import pytest
from optuna.trial import TrialState
from sweeper_support.pretended_executor import PretendedExecutor
from sweeper_support.simulation import controller

from hydra_pruning_sweeper.study.rules import RETRY, failed_for_good


@pytest.fixture
def shared_study(tmp_path):
    """Makes a study with these rules."""

    def make(trials=4, **rules):
        return controller(tmp_path, trials=trials, executor=lambda: PretendedExecutor(None), rules=rules).shared_study

    return make


def fail(shared_study):
    """Takes the next trial and has it fail: its number, and that of the trial that it tries again."""
    leased = shared_study.take()
    assert shared_study.tell(leased.number, TrialState.FAIL, error="no")
    return leased.number, shared_study.trials()[leased.number].user_attrs.get("retry_of")


@pytest.mark.parametrize(
    ("retries", "expected"),
    [
        (0, [(0, None), (1, None), (2, None), (3, None)]),
        (1, [(0, None), (1, 0), (2, None), (3, 2)]),
        (2, [(0, None), (1, 0), (2, 1), (3, None)]),
    ],
)
def test_a_failed_trial_is_tried_so_often_again(shared_study, retries, expected):
    one = shared_study(retries=retries, failures=1.0)
    assert [fail(one) for _ in range(4)] == expected
    for number, again in expected:
        if again is not None:
            assert one.trials()[number].params == one.trials()[again].params


def test_a_trial_is_tried_once_more_if_that_is_asked_for(shared_study):
    one = shared_study(retries=0, failures=1.0)
    assert [fail(one), fail(one)] == [(0, None), (1, None)]
    one.storage.set_study_user_attr(one._study_id, RETRY, [1])
    assert [fail(one), fail(one)] == [(2, 1), (3, None)]
    assert [trial.number for trial in failed_for_good(one.trials())] == [0, 2, 3]


@pytest.mark.parametrize(("failures", "allowed"), [(0.0, 0), (0.25, 1), (0.49, 1), (0.5, 2)])
def test_nothing_is_begun_once_too_many_have_failed(shared_study, failures, allowed):
    one = shared_study(retries=0, failures=failures)
    for _ in range(allowed):
        fail(one)
        assert (one.is_full(), one.has_failed()) == (False, False)
    fail(one)
    assert (one.is_full(), one.has_failed(), one.take()) == (True, True, None)
    assert [trial.number for trial in one.given_up()] == list(range(allowed + 1))


def test_what_waits_to_be_tried_again_is_not_given_up(shared_study):
    one = shared_study(retries=1, failures=0.0)
    fail(one)
    assert (one.given_up(), one.has_failed()) == ([], False)
    fail(one)
    assert ([trial.number for trial in one.given_up()], one.has_failed()) == ([1], True)


def test_there_are_enough_trials_when_so_many_run_or_are_done(shared_study):
    one = shared_study(trials=3)
    first, second = one.take(), one.take()
    one.tell(first.number, TrialState.COMPLETE, 1.0)
    one.tell(second.number, TrialState.PRUNED)
    assert one.take(may_start=False) is None
    assert not one.is_full()
    third = one.take()
    assert (third.number, third.adopted, third.orphan) == (2, False, None)
    assert one.is_full()
    assert one.take() is None


def test_a_trial_that_others_end_is_told_once(shared_study):
    one, other = shared_study(), shared_study()
    leased = one.take()
    assert other.take().number == 1
    assert not other.tell(leased.number, TrialState.COMPLETE, 3.0)
    assert one.tell(leased.number, TrialState.COMPLETE, 2.0)
    trial = one.trials()[0]
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 2.0)


def test_a_pruned_trial_keeps_the_last_value_that_it_reported(shared_study):
    one = shared_study()
    leased = one.take()
    for step, value in ((1, 5.0), (3, 4.0)):
        one.storage.set_trial_intermediate_value(one._id(leased.number), step, value)
    assert one.tell(leased.number, TrialState.PRUNED)
    assert one.trials()[0].value == 4.0


def test_beats_are_counted_and_a_child_is_noted(shared_study):
    one = shared_study()
    number = one.take().number
    one.note_child(number, 1)
    assert (one.beat(), one.beat()) == ([], [])
    lease = one.trials()[number].user_attrs["lease"]
    assert (lease["beat"], lease["child"][0], lease["held"], lease["owner"]) == (2, 1, True, one.owner)
    one.release(number)
    lease = one.trials()[number].user_attrs["lease"]
    assert (lease["child"], lease["held"], lease["idle"]) == (None, False, 0)
    assert one.beat() == []  # what was given back is nobody's to lose


def test_deaths_in_a_row_are_counted_from_the_last_step_forward(shared_study):
    one, idle = shared_study(), []
    for step in (0, 0, 1, 1, 4):  # the step that the trial has come to when it is taken
        leased = one.take()
        idle.append(leased.lease.idle)
        if step:
            one.storage.set_trial_intermediate_value(one._id(leased.number), step, 1.0)
        one.release(leased.number, died=True)
    leased = one.take()
    assert (leased.number, leased.lease.attempt) == (0, 6)
    assert [*idle, leased.lease.idle] == [0, 1, 2, 0, 1, 0]
