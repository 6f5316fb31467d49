"""The controller over an executor that only pretends: what it does about each end of a trial, without a process."""

import os
import signal
import time
from dataclasses import replace

import pytest
from optuna.trial import TrialState
from sweeper_support.pretended_executor import PretendedExecutor
from sweeper_support.simulation import controller

from hydra_pruning_sweeper.errors import ExecutionError
from hydra_pruning_sweeper.execution.executor import JobEnd
from hydra_pruning_sweeper.execution.tracker_variables import tracker_variables
from hydra_pruning_sweeper.study.rules import failed_for_good
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE
from hydra_pruning_sweeper.trial.events import LOG, TrialEvents

TRACEBACK = f"""Error executing job with overrides: ['x=1']
Traceback (most recent call last):
{"  a frame" * 60}
KeyError: 1

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
{"  a frame" * 60}
ValueError: two
lines

Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.
"""
"""The log of a trial of an application of somebody else."""


def done(job, value=1.0, **ended):
    TrialEvents(job.folder).add("ended", value=value)
    return JobEnd(job.number, **{"code": 0, **ended})


@pytest.fixture
def pretend(tmp_path):
    """Gives a controller of a study whose trials run `script`; `.executor` tells what it was asked for."""

    def make(script, **options):
        options = {"rules": {"retries": 0, "failures": 1.0}, **options}
        return controller(tmp_path, executor=lambda: PretendedExecutor(script), **options)

    return make


def test_each_trial_gets_its_line_its_variables_and_its_slot(pretend, tmp_path):
    one = pretend(done, trials=5, slots=2, environment=lambda slot: {"SLOT": str(slot)})
    one.run()
    jobs = one.executor.jobs
    assert [job.number for job in jobs] == [0, 1, 2, 3, 4]
    assert {job.slot for job in jobs} == {0, 1}
    for job in jobs:
        trial = one.shared_study.trials()[job.number]
        assert job.folder == tmp_path / str(job.number)
        assert job.arguments[:2] == one.shared_study.space.arguments(trial.params)
        own = {"SLOT": str(job.slot), TRIAL_VARIABLE: str(job.folder / "trial.json")}
        assert job.environment == own | tracker_variables("study", job.number)
        assert trial.state == TrialState.COMPLETE
        assert trial.value == 1.0
    assert one.executor.closed
    assert [(number, outcome.value) for number, outcome in one.observer.ends] == [(n, 1.0) for n in range(5)]
    assert len(one.use.spans) == 5


@pytest.mark.parametrize(
    ("log", "code", "reason"),
    [
        (None, 3, "exit code 3"),
        ("", 3, "exit code 3"),
        ("one\nerror: two words\n  in a frame\n\n", 2, "two words"),
        ("the last", 0, "it ended without a value"),
        ("first\n" + "  deep\n" * 50, 1, "exit code 1"),  # what stands far above the end is not why
        (b"\xff no text", 1, "\ufffd no text"),
        ("$ program a=1\n", 3, "exit code 3"),
        ("error: of an earlier attempt\n$ program a=1\nthe last\n", 1, "the last"),
        ("$ program a=1\nerror: two words\na library says goodbye\n", 1, "two words"),
        (TRACEBACK, 1, "ValueError: two"),
        ("Traceback (most recent call last):\n  a frame\n\x1b[1;31mKeyError\x1b[0m: 1\n", 1, "KeyError: 1"),
        (
            "Could not override 'x'\n\nSet the environment variable HYDRA_FULL_ERROR=1 for more\n",
            1,
            "Could not override 'x'",
        ),
    ],
)
def test_why_a_trial_failed_is_the_last_error_or_line_of_its_log(pretend, tmp_path, log, code, reason):
    def fails(job):
        if job.number:
            return done(job)
        if log is not None:
            job.folder.mkdir(exist_ok=True)
            (job.folder / LOG).write_bytes(log if isinstance(log, bytes) else log.encode())
        return JobEnd(job.number, code)

    one = pretend(fails, trials=1)
    one.run()
    first, second = one.shared_study.trials()
    assert (first.state, second.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert first.user_attrs["error"] == reason


def test_what_an_executor_knows_is_why(pretend):
    one = pretend(lambda job: done(job) if job.number else JobEnd(0, 1, "no such card"), trials=1)
    one.run()
    assert one.shared_study.trials()[0].user_attrs["error"] == "no such card"


def test_a_trial_that_dies_goes_on_and_is_said_to(pretend):
    lives = []

    def dies_twice(job):
        lives.append(job.number)
        return JobEnd(job.number, -9) if len(lives) < 3 else done(job, 0.5)

    one = pretend(dies_twice, trials=1, rules={"deaths": 2})
    one.run()
    assert lives == [0, 0, 0]
    assert one.observer.notes == ["trial 0 died (SIGKILL): it goes on from where it was"] * 2
    (trial,) = one.shared_study.trials()
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.5)
    assert (trial.user_attrs["lease"]["attempt"], trial.user_attrs["lease"]["idle"]) == (3, 2)


def test_a_trial_that_dies_once_too_often_has_failed(pretend):
    one = pretend(
        lambda job: done(job) if job.number else JobEnd(0, None),
        trials=1,
        rules={"deaths": 2, "retries": 0, "failures": 1.0},
    )
    one.run()
    assert [job.number for job in one.executor.jobs] == [0, 0, 0, 1]
    assert one.shared_study.trials()[0].user_attrs["error"] == "died 3 times in a row"


def test_a_trial_whose_end_nobody_heard_is_told_without_running_it_again(pretend):
    def dies_at_the_end(job):
        done(job, 0.25)
        return JobEnd(job.number, -9)

    one = pretend(dies_at_the_end, trials=1)
    one.run()
    assert [job.number for job in one.executor.jobs] == [0]
    assert one.shared_study.trials()[0].value == 0.25


@pytest.mark.parametrize(("failures", "failed"), [(0.0, 1), (0.2, 2), (0.5, 3)])
def test_more_failures_than_allowed_end_the_sweep(pretend, failures, failed):
    one = pretend(lambda job: JobEnd(job.number, 7), trials=5, rules={"retries": 0, "failures": failures})
    plural = "1 trial" if failed == 1 else f"{failed} trials"
    with pytest.raises(ExecutionError, match=rf"^{plural} failed for good, .*; trial {failed - 1}: exit code 7$"):
        one.run()
    assert len(failed_for_good(one.shared_study.trials())) == failed


def test_first_trials_that_fail_alike_end_the_search_and_the_same_line_goes_on(pretend):
    one = pretend(lambda job: JobEnd(job.number, 7), trials=50, rules={"retries": 1, "failures": 1.0})
    with pytest.raises(ExecutionError, match=r"^the first 3 trials have failed alike, .*: exit code 7; the same line"):
        one.run()
    assert len({tuple(trial.params.items()) for trial in one.shared_study.trials()}) == 3
    again = pretend(done, trials=9, rules={"retries": 0, "failures": 1.0})
    again.run()
    assert len(again.executor.jobs) == 9


def test_first_trials_that_fail_for_several_reasons_do_not_end_the_search(pretend):
    one = pretend(lambda job: done(job) if job.number > 3 else JobEnd(job.number, 7 + job.number), trials=6)
    one.run()
    assert len(one.executor.jobs) == 10


def test_what_a_trial_takes_besides_training_is_measured(pretend):
    def trains(job):
        TrialEvents(job.folder).add("first_step")
        time.sleep(0.02)
        TrialEvents(job.folder).add("last_step")
        return done(job)

    one = pretend(trains, trials=3)
    one.run()
    assert len(one.use.overheads) == 3
    assert all(0 < before < 60 and 0 < after < 60 for before, after in one.use.overheads)


def test_a_trial_without_a_sign_of_life_is_ended(pretend):
    one = pretend(lambda job: done(job) if job.number else None, trials=1, silence=0.3)
    one.run()
    assert one.executor.signals == [(0, signal.SIGKILL)]
    assert one.shared_study.trials()[0].user_attrs["error"] == "no sign of life for 0.3 s"


def test_the_first_ctrl_c_begins_nothing_more(pretend):
    def interrupts(job):
        if job.number == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return done(job)

    one = pretend(interrupts, trials=5)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        one.run()
    assert [job.number for job in one.executor.jobs] == [0, 1]
    assert [trial.state for trial in one.shared_study.trials()] == [TrialState.COMPLETE] * 2
    assert one.observer.notes == ["finishing 1 running trial; Ctrl-C again stops them, to be continued later"]
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_before_the_first_trial_ends_the_search_as_ctrl_c_does(pretend):
    one = pretend(done, trials=3)
    one.executor.prepare = lambda: os.kill(os.getpid(), signal.SIGTERM)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        one.run()
    assert one.shared_study.trials() == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_sigterm_stops_running_trials_and_gives_them_back(pretend):
    def stopped(job):
        os.kill(os.getpid(), signal.SIGTERM)

    one = pretend(stopped, trials=3, grace=0.2)
    signals = one.executor.signals

    def signalled(number, sign):
        signals.append((number, sign))
        if sign == signal.SIGKILL:
            one.executor.ended.append(JobEnd(number, -sign))

    one.executor.signal = signalled
    with pytest.raises(KeyboardInterrupt):
        one.run()
    assert signals == [(0, signal.SIGTERM), (0, signal.SIGKILL)]
    assert one.observer.notes == ["trial 0 stopped"]
    (trial,) = one.shared_study.trials()
    assert trial.state == TrialState.RUNNING
    assert not trial.user_attrs["lease"]["held"]


@pytest.mark.parametrize(("gone", "notes"), [(True, 0), (False, 1)])
def test_a_process_of_an_earlier_attempt_that_may_still_run_is_named(pretend, monkeypatch, gone, notes):
    one = pretend(done, trials=1)
    take = one.shared_study.take
    monkeypatch.setattr(
        one.shared_study, "take", lambda **more: (leased := take(**more)) and replace(leased, orphan=(123, None))
    )
    monkeypatch.setattr("hydra_pruning_sweeper.execution.controller.end_group", lambda *process: gone)
    one.run()
    found = [note for note in one.observer.notes if note.startswith("trial 0: process 123")]
    assert len(found) == notes
    assert all("end it by hand" in note for note in found)


def test_when_the_time_is_over_running_trials_end_and_the_same_line_goes_on(pretend, tmp_path):
    def late(job):
        if job.number == 1:
            one.use.started -= 1000
        return done(job)

    one = pretend(late, trials=4, timeout=500.0)
    one.run()
    assert [trial.state for trial in one.shared_study.trials()] == [TrialState.COMPLETE] * 2
    assert one.observer.notes[-1] == "the time is over (hydra.sweeper.timeout); the same line continues the search"
    again = pretend(done, trials=4, timeout=500.0)
    again.run()
    assert [job.number for job in again.executor.jobs] == [2, 3]


def test_a_search_says_why_it_ends_early(pretend):
    space = Space([parameter("x", "choice(1,2,3)")])
    one = pretend(done, trials=9, space=space)
    one.run()
    assert len(one.executor.jobs) == 3
    assert one.observer.notes[-1] == "no more trials: all 3 settings of the space were tried"


def test_it_says_once_that_continued_trials_have_forgotten_their_best(pretend):
    def dies_after_its_best(job):
        events = TrialEvents(job.folder)
        if 1 not in events.read().raw:
            events.add("reported", step=1, value=0.1, raw=0.1)
            return JobEnd(job.number, -9)
        for step, value in ((2, 0.3), (3, 0.4)):
            events.add("reported", step=step, value=0.1, raw=value)
        return done(job, 0.3)

    one = pretend(dies_after_its_best, trials=2)
    one.run()
    assert [note for note in one.observer.notes if "died" not in note] == [
        "trial 0 returned 0.3, the best since it was continued; before, it had reported 0.1: what the application keeps"
        " as its best is not in its checkpoint, so return the last value, or the checkpoint callback's best_model_score"
    ]
