"""What the end of a process says about its trial."""

import math

import pytest
from optuna.trial import TrialState

from hydra_pruning_sweeper.execution.executor import JobEnd
from hydra_pruning_sweeper.execution.outcome import (
    SlotUse,
    cause_of_death,
    forgotten_best,
    settled_outcome,
    utilisation,
    was_killed,
)
from hydra_pruning_sweeper.trial.events import Decision, Span, TrialProgress

STOPPED, FAILED = True, False


@pytest.mark.parametrize(
    ("code", "died", "name"),
    [
        (-9, STOPPED, "SIGKILL"),
        (-11, STOPPED, "SIGSEGV"),
        (130, STOPPED, "SIGINT"),
        (137, STOPPED, "SIGKILL"),
        (143, STOPPED, "SIGTERM"),
        (1, FAILED, "exit code 1"),
        (129, FAILED, "SIGHUP"),
        (128, FAILED, "exit code 128"),
        (0, FAILED, "exit code 0"),
    ],
)
def test_a_code_tells_who_ended_a_process(code, died, name):
    assert was_killed(JobEnd(0, code)) is died
    assert cause_of_death(JobEnd(0, code)) == name


def test_a_process_of_which_nobody_knows_the_code_has_died():
    assert was_killed(JobEnd(0, None))
    assert cause_of_death(JobEnd(0, None)) == "exit code 0"
    assert cause_of_death(JobEnd(0, -9, "the server ended")) == "the server ended"


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (TrialProgress(), None),
        (TrialProgress(ended=True), None),
        (TrialProgress(value=2.0), None),
        (TrialProgress(ended=True, value=2.0), (TrialState.COMPLETE, 2.0)),
        (TrialProgress(ended=True, value=math.nan), (TrialState.PRUNED, None)),
        (TrialProgress(ended=True, value=-math.inf), (TrialState.PRUNED, None)),
        (TrialProgress(ended=True, value=2.0, diverged=True), (TrialState.PRUNED, None)),
        (TrialProgress(decisions={1: Decision(False, {}), 3: Decision(True, {})}), (TrialState.PRUNED, None)),
        (TrialProgress(decisions={1: Decision(False, {})}), None),
    ],
)
def test_a_trial_is_settled_by_its_own_account(progress, expected):
    found = settled_outcome(progress)
    assert (found if found is None else (found.state, found.value)) == expected


@pytest.mark.parametrize(
    ("last_started", "spans", "slots", "expected"),
    [
        (None, [(0.0, 9.0), (9.0, 18.0)], 1, None),
        (9.0, [(0.0, 9.0)], 1, None),  # the slot had one trial
        (12.0, [(2.0, 5.0), (7.0, 20.0)], 1, 0.8),  # from 2 to 12: 3 and 5 seconds
        (12.0, [(2.0, 12.0), (4.0, 10.0), (13.0, 20.0)], 2, 0.8),  # 10 and 6 of 20; the last began after
    ],
)
def test_the_share_of_the_slots_time_that_trials_had(last_started, spans, slots, expected):
    assert utilisation(SlotUse(started=2.0, last_started=last_started, spans=spans), slots) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("before", "since", "value", "expected"),
    [
        ([0.8, 0.9], [0.85, 0.84], 0.85, 0.9),  # the best since, although there was a better one
        ([0.8, 0.9], [0.85, 0.84], 0.9, None),  # it knows its best
        ([0.8, 0.9], [0.85, 0.84], 0.84, None),  # the last one
        ([0.8, 0.9], [0.84, 0.85], 0.85, None),  # the best since, or the last one: nobody knows
        ([0.8, 0.9], [0.95, 0.94], 0.95, None),
        ([0.8, 0.9], [], 0.9, None),
        ([], [0.85, 0.84], 0.85, None),
        ([0.8, 0.9], [0.85, 0.84], None, None),
        ([0.8, 0.9], [0.85, 0.84], [0.85, 0.1], None),  # several objectives
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_result_shows_that_a_continued_trial_has_forgotten_its_best(before, since, value, expected, sign):
    reported = [(-sign * one, 2) for one in before] + [(-sign * one, 12) for one in since]
    if isinstance(value, float):
        value *= -sign
    progress = TrialProgress(
        raw={step: raw for step, (raw, _) in enumerate(reported, 1)},
        times={step: time for step, (_, time) in enumerate(reported, 1)},
        value=value,
        spans=[Span("me", 0, 1.0, 4.0), Span("me", 0, 11.0, 14.0)],
    )
    assert forgotten_best(progress, sign) == (expected if expected is None else -sign * expected)
    assert forgotten_best(TrialProgress(**{**vars(progress), "spans": progress.spans[:1]}), sign) is None
