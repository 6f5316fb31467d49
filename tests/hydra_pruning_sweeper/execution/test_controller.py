"""A sweep through every branch: trials that are pruned, fail, diverge, hang, die."""

import errno
import math
import os
import signal
import threading
import time

import pytest
from sweeper_support.simulation import SPACE, controller, executor, logged, results

from hydra_pruning_sweeper.errors import ExecutionError
from hydra_pruning_sweeper.execution.executor import ForkExecutor
from hydra_pruning_sweeper.execution.outcome import SlotUse, settled_outcome, utilisation
from hydra_pruning_sweeper.execution.trial_folders import check_disk_space, is_full
from hydra_pruning_sweeper.study.rules import failed_for_good
from hydra_pruning_sweeper.study.space import Space
from hydra_pruning_sweeper.trial.events import TrialEvents, TrialProgress


def test_trials_are_pruned_at_rungs_and_keep_what_they_came_to(sweep, tmp_path):
    sweep(trials=15)
    found = results(tmp_path)
    assert len(found) == 15
    ends = {
        state: {max(reported) for s, _, _, reported in found.values() if s == state} for state in ("COMPLETE", "PRUNED")
    }
    assert ends["COMPLETE"] == {9}
    assert ends["PRUNED"]
    assert ends["PRUNED"] <= {1, 3}
    for number, (_, value, _, reported) in found.items():
        own = logged(tmp_path, number)
        assert reported == {step: min(v for at, v in own.items() if at <= step) for step in own}
        assert value == reported[max(reported)]


def test_two_slots_run_at_a_time_and_are_refilled_at_once(sweep, tmp_path):
    one = sweep(trials=8, slots=2, pause=0.05)
    spans = sorted(one.use.spans)
    assert max(sum(a <= start < b for a, b in spans) for start, _ in spans) == 2
    assert utilisation(one.use, 2) > 0.5
    assert len(one.use.overheads) > 0
    assert sorted(results(tmp_path)) == list(range(8))


def test_a_trial_that_diverges_is_pruned_and_not_tried_again(sweep, tmp_path):
    with pytest.raises(ExecutionError, match=r"^no trial is complete: all of 3 trials diverged"):
        sweep(trials=3, how="diverges")
    assert [(state, sorted(reported)) for state, _, _, reported in results(tmp_path).values()] == [("PRUNED", [1])] * 3


def test_a_trial_that_dies_goes_on_as_the_same_trial(sweep, tmp_path, shared):
    (tmp_path / "calm").mkdir()
    one = sweep(trials=6, how="dies_once")
    died = [n for n in results(tmp_path) if (tmp_path / str(n) / "stumbled").exists()]
    assert died
    assert len([note for note in one.observer.notes if "SIGKILL" in note]) == len(died)
    for number in died:
        assert len(TrialEvents(tmp_path / str(number)).read().spans) == 2
    controller(tmp_path / "calm", trials=6, executor=lambda: shared).run()
    assert results(tmp_path / "calm") == results(tmp_path)


def test_a_trial_lasted_until_it_ended_where_its_controller_died_before_it_told(tmp_path, shared, monkeypatch):
    def told(how):
        one = controller(tmp_path, trials=1, executor=lambda: shared)
        if how == "dies":
            monkeypatch.setattr(one, "_finish", lambda *given: 1 / 0)
        one.run()

    with pytest.raises(ZeroDivisionError):
        told("dies")
    ended = TrialEvents(tmp_path / "0").read()
    told("well")
    found = TrialEvents(tmp_path / "0").read()
    assert ended.ended and found.spans == ended.spans
    assert (ended.controller is None, found.controller is None) == (False, True), "the second told"


def test_a_trial_that_fails_is_tried_again_under_a_new_number(sweep, tmp_path):
    one = sweep(trials=3, how="fails_once")
    trials = one.shared_study.trials()
    assert [t.state.name == "FAIL" for t in trials] == [True, False, False, False]
    assert trials[0].user_attrs["error"] == "ValueError: nothing but trouble"
    assert trials[1].user_attrs["retry_of"] == 0
    assert trials[1].params == trials[0].params
    assert failed_for_good(trials) == []


def test_a_sweep_in_which_all_fails_stops_and_says_why(sweep, tmp_path):
    """Each is tried twice, and counts once: as the limit counts them."""
    with pytest.raises(ExecutionError, match=r"^3 trials failed for good.*nothing but trouble.*log.txt"):
        sweep(trials=10, how="fails_apart", rules={"failures": 0.2})
    assert [state for state, *_ in results(tmp_path).values()] == ["FAIL"] * 6


def test_a_disk_that_is_full_ends_the_sweep_and_no_trial(sweep, tmp_path, monkeypatch):
    def full(folder):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr("hydra_pruning_sweeper.execution.controller.check_disk_space", full)
    with pytest.raises(OSError, match="No space left"):
        sweep(trials=2, how="fails_once")
    monkeypatch.undo()
    assert [state for state, *_ in results(tmp_path).values()] == ["RUNNING"]
    sweep(trials=2)
    assert [state for state, *_ in results(tmp_path).values()] == ["COMPLETE", "COMPLETE"]


def test_a_full_disk_is_told_from_other_errors(tmp_path):
    check_disk_space(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert is_full(OSError(errno.ENOSPC, "x"))
    assert is_full(RuntimeError("(sqlite3.OperationalError) database or disk is full"))
    assert not is_full(OSError(errno.EACCES, "x"))


def test_a_trial_that_hangs_is_ended(sweep):
    one = sweep(trials=1, how=lambda leased: "hangs" if leased.number == 0 else "well", silence=1.0)
    assert [t.state.name for t in one.shared_study.trials()] == ["FAIL", "COMPLETE"]
    assert one.shared_study.trials()[0].user_attrs["error"] == "no sign of life for 1 s"


def test_a_trial_that_dies_again_and_again_has_failed(sweep):
    def dies(leased):
        return "hangs" if leased.number == 0 else "well"

    class Murderous(ForkExecutor):
        def start(self, job):
            child = super().start(job)
            if job.number == 0:
                os.kill(child, signal.SIGKILL)
            return child

    one = sweep(trials=1, how=dies, executor=lambda: executor(Murderous), rules={"retries": 1})
    trials = one.shared_study.trials()
    assert [t.state.name for t in trials] == ["FAIL", "COMPLETE"]
    assert trials[0].user_attrs["error"] == "died 3 times in a row"


def interrupt(folder, times):
    """Sends so many Ctrl-C once the first trial reports."""

    def send():
        while not TrialEvents(folder / "0").read().reported:
            time.sleep(0.05)
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.4)

    threading.Thread(target=send, daemon=True).start()


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_finishes_running_trials_and_twice_stops_them(sweep, tmp_path, times):
    interrupt(tmp_path, times)
    with pytest.raises(KeyboardInterrupt):
        sweep(trials=30, pause=0.3)
    before = results(tmp_path)
    states = [state for state, *_ in before.values()]
    assert 0 < len(states) < 30
    assert ("RUNNING" in states) == (times == 2)
    sweep(trials=len(states) + 1)
    after = results(tmp_path)
    assert {state for state, *_ in after.values()} <= {"COMPLETE", "PRUNED"}
    assert len(after) == len(states) + 1
    assert {number: values for number, (_, _, values, _) in before.items()}.items() <= {
        number: values for number, (_, _, values, _) in after.items()
    }.items()


def test_more_trials_can_be_asked_for_later(sweep, tmp_path):
    sweep(trials=4)
    before = results(tmp_path)
    sweep(trials=7)
    after = results(tmp_path)
    assert len(after) == 7
    assert {n: after[n] for n in before} == before


def test_what_a_trial_came_to():
    assert settled_outcome(TrialProgress()) is None
    assert settled_outcome(TrialProgress(ended=True)) is None
    assert settled_outcome(TrialProgress(ended=True, value=2.0)).value == 2.0
    assert settled_outcome(TrialProgress(ended=True, value=math.nan)).state.name == "PRUNED"
    assert settled_outcome(TrialProgress(ended=True, value=2.0, diverged=True)).state.name == "PRUNED"


def test_utilisation_counts_until_the_last_trial_was_begun():
    assert utilisation(SlotUse(started=0.0), 2) is None
    one_trial_per_slot = SlotUse(started=0.0, last_started=0.1, spans=[(0, 8), (0.1, 9)])
    assert utilisation(one_trial_per_slot, 2) is None
    assert utilisation(SlotUse(started=0.0, last_started=10.0, spans=[(0, 8), (2, 12), (10, 50)]), 2) == 0.8


def test_constraints_are_kept_through_the_whole_sweep(sweep, tmp_path):
    sweep(trials=6, space=Space(SPACE, ["x * width < 1"]))
    assert all(params["x"] * params["width"] < 1 for _, _, params, _ in results(tmp_path).values())
