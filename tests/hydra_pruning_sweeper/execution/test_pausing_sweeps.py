"""Sweeps whose trials are paused at rungs and promoted: each in a process that ends and is started again."""

import json
import os
import signal

import pytest
from optuna.trial import TrialState
from sweeper_support.pretended_executor import PretendedExecutor
from sweeper_support.simulation import PAUSING, controller, logged, process, results, trials_of

from hydra_pruning_sweeper.errors import ExecutionError, UsageError
from hydra_pruning_sweeper.execution.executor import JobEnd
from hydra_pruning_sweeper.execution.outcome import Outcome, settled_outcome
from hydra_pruning_sweeper.run_sweep import SweepRun
from hydra_pruning_sweeper.study.pausing import PauseAndPromote, is_paused, pauses_of, promoted_after
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings
from hydra_pruning_sweeper.trial.context import TrialContext
from hydra_pruning_sweeper.trial.events import Decision, TrialEvents, TrialProgress
from hydra_pruning_sweeper.trial.reporter import Reporter


def test_a_promoted_trial_goes_on_from_its_checkpoint_and_no_step_is_lost(sweep, tmp_path):
    one = sweep(trials=12, pruner=PAUSING, slots=2)
    found, trials = results(tmp_path), one.shared_study.trials()
    assert sorted(found) == list(range(12))
    promoted = [number for number in found if promoted_after(trials[number])]
    assert promoted
    for number, (state, value, _, reported) in found.items():
        own = logged(tmp_path, number)
        assert reported == {step: min(v for at, v in own.items() if at <= step) for step in range(1, max(own) + 1)}
        assert value == reported[max(reported)]
        assert (state, max(own)) in {("COMPLETE", 9), ("PRUNED", 1), ("PRUNED", 3)}
        spans = TrialEvents(tmp_path / str(number)).read().spans
        assert len(spans) == 1 + len(promoted_after(trials[number]))
    assert len(one.use.spans) == 12 + sum(len(promoted_after(trials[number])) for number in found)
    pauses = [(number, outcome) for number, outcome in one.observer.ends if outcome.paused_after is not None]
    assert {number for number, _ in pauses} == {number for number in found if pauses_of(trials[number])}
    left = [number for number, (state, *_) in found.items() if state == "PRUNED"]
    assert one.observer.notes[-1] == f"no more is promoted: paused trials are pruned ({', '.join(map(str, left))})"


def test_a_trial_whose_checkpoint_is_gone_begins_again_and_comes_to_the_same(sweep, tmp_path, shared):
    class Forgetful(PretendedExecutor):
        """Removes checkpoints before a trial goes on."""

        def __init__(self):
            pass

        def start(self, job):
            (job.folder / "checkpoint.json").unlink(missing_ok=True)
            return shared.start(job)

        wait, signal, close = shared.wait, shared.signal, shared.close

    for name in ("whole", "forgotten"):
        (tmp_path / name).mkdir()
    controller(tmp_path / "whole", trials=9, pruner=PAUSING, executor=lambda: shared).run()
    controller(tmp_path / "forgotten", trials=9, pruner=PAUSING, executor=Forgetful).run()
    assert results(tmp_path / "forgotten") == results(tmp_path / "whole")
    steps = (tmp_path / "forgotten" / str(last_promoted(tmp_path / "forgotten")) / "curve.txt").read_text().split("\n")
    assert sum(line.startswith("1 ") for line in steps) > 1


def test_two_controllers_promote_nobody_twice(tmp_path):
    """Each step is taken once, but for the one after which a trial was paused: its checkpoint is of the step before."""
    both = [process(tmp_path, trials=18, slots=2, pause=0.15, pruner=PAUSING) for _ in range(2)]
    assert [one.wait(timeout=180) for one in both] == [0, 0]
    trials = trials_of(tmp_path)
    assert sum(len(promoted_after(trial)) for trial in trials) > 0
    assert len({trial.user_attrs["lease"]["owner"] for trial in trials}) == 2
    for trial in trials:
        lines = (tmp_path / str(trial.number) / "curve.txt").read_text().splitlines()
        steps = [*range(1, trial.last_step + 1), *promoted_after(trial)]
        assert sorted(int(line.split()[0]) for line in lines) == sorted(steps)


def last_promoted(folder):
    """The number of a trial in `folder` that was promoted."""
    return next(n for n in results(folder) if len(TrialEvents(folder / str(n)).read().spans) > 1)


def test_a_trial_whose_checkpoint_cannot_be_read_is_tried_again_under_a_new_number(sweep, tmp_path, shared):
    class Damaging(PretendedExecutor):
        """Damages the first checkpoint with which a trial is promoted."""

        def __init__(self):
            self.damaged = None

        def start(self, job):
            path = job.folder / "checkpoint.json"
            if path.is_file() and self.damaged is None:
                self.damaged = job.number
                path.write_text("{")
            return shared.start(job)

        wait, signal, close = shared.wait, shared.signal, shared.close

    one = controller(tmp_path, trials=9, pruner={**PAUSING, "min_resource": 2}, executor=Damaging)
    one.run()
    trials = one.shared_study.trials()
    (retry,) = [trial for trial in trials if trial.user_attrs.get("retry_of") == one.executor.damaged]
    assert trials[one.executor.damaged].state == TrialState.FAIL
    assert retry.params == trials[one.executor.damaged].params
    assert retry.state != TrialState.RUNNING
    assert sum(trial.state.is_finished() for trial in trials) == 10


def test_what_is_paused_does_not_count_as_hanging_nor_as_running(sweep):
    one = sweep(trials=6, pruner=PAUSING, pause=0.02, silence=2.0)
    assert TrialState.FAIL not in [trial.state for trial in one.shared_study.trials()]


@pytest.fixture
def pretend(tmp_path):
    """Gives a controller whose trials run `script`."""
    return lambda script, **options: controller(
        tmp_path, pruner=PAUSING, executor=lambda: PretendedExecutor(script), **options
    )


def pause(job, value):
    """What a trial's process does that reports a value after its first step, and is paused then."""
    reporter = Reporter(TrialContext(**json.loads((job.folder / "trial.json").read_text())))
    assert reporter.report(1, value) and reporter.is_paused


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def test_a_search_ends_when_its_time_is_over_though_a_paused_trial_could_be_promoted(pretend):
    """All trials have begun by then: the same line promotes it later."""

    def train(job):
        pause(job, float(job.number))
        if job.number == 1:
            one.use.started -= 1000
        return JobEnd(job.number, 0)

    one = pretend(train, trials=2, timeout=500.0)
    with pytest.raises(ExecutionError, match="no trial is complete"):
        one.run()
    assert one.observer.notes == ["the time is over (hydra.sweeper.timeout); the same line continues the search"]
    assert [is_paused(trial) for trial in one.shared_study.trials()] == [True, True]
    later = pretend(train, trials=2, timeout=500.0).shared_study.take()
    assert (later.number, later.promoted) == (0, (1,))


def test_a_pause_that_no_controller_recorded_is_recorded_by_the_next(pretend):
    """The controller dies after its trial has paused, before it notes that."""

    def dies(job):
        pause(job, 3.0)
        raise OSError("no room")

    def interrupts(job):
        press_ctrl_c()
        return JobEnd(job.number, 0)

    with pytest.raises(OSError, match="no room"):
        pretend(dies, trials=3).run()
    second = pretend(interrupts, trials=3)
    assert not is_paused(second.shared_study.trials()[0])
    with pytest.raises(KeyboardInterrupt):
        second.run()
    assert is_paused(second.shared_study.trials()[0])
    assert second.observer.ends[0] == (0, Outcome(TrialState.RUNNING, paused_after=1))
    assert [job.number for job in second.executor.jobs] == [1]


def test_what_a_task_returns_as_it_is_paused_is_not_its_result(tmp_path):
    events = TrialEvents(tmp_path)
    for step, promoted in ((3, []), (9, [3])):
        events.add("started", owner="me", slot=0)
        assert settled_outcome(events.read(), promoted) is None
        events.add("decided", step=step, prune=False, notes={}, pause=True)
        assert settled_outcome(events.read(), promoted) == Outcome(TrialState.RUNNING, paused_after=step)
        events.add("ended", value=1.0)
        assert settled_outcome(events.read(), promoted) == Outcome(TrialState.RUNNING, paused_after=step)
        assert settled_outcome(events.read(), [*promoted, step]) is None
    events.add("started", owner="me", slot=0)
    events.add("ended", value=0.5)
    assert settled_outcome(events.read(), promoted=[3, 9]) == Outcome(TrialState.COMPLETE, 0.5)


def test_what_diverged_or_was_pruned_is_not_paused():
    paused = {1: Decision(False, {}, pause=True)}
    assert settled_outcome(TrialProgress(decisions=paused, diverged=True)).state == TrialState.PRUNED
    assert settled_outcome(TrialProgress(decisions={**paused, 3: Decision(True, {})})).state == TrialState.PRUNED


def test_decisions_of_earlier_versions_are_read(tmp_path):
    TrialEvents(tmp_path).path.write_text(
        json.dumps({"event": "decided", "time": 1.0, "step": 1, "prune": True, "notes": {}}) + "\n"
    )
    assert TrialEvents(tmp_path).read().decisions == {1: Decision(True, {}, pause=False)}


@pytest.mark.parametrize("pruner", [PauseAndPromote(1, 9), None])
def test_a_search_that_pauses_needs_checkpoints(pruner):
    sweep = SweepRun.__new__(SweepRun)
    sweep.pruner, sweep.settings = pruner, SweeperSettings(checkpoint=None)
    if pruner is None:
        sweep._check_checkpoint()
    else:
        with pytest.raises(UsageError, match=r"set hydra.sweeper.checkpoint to its path within a trial's folder, such"):
            sweep._check_checkpoint()
    sweep.settings = SweeperSettings(checkpoint="last.ckpt")
    sweep._check_checkpoint()


def test_ctrl_c_promotes_nobody_and_the_same_line_does(pretend):
    def pauses(job):
        pause(job, 1.0 + job.number)  # of the three, the first is the best
        if job.number == 2:
            press_ctrl_c()
        return JobEnd(job.number, 0)

    def ends(job):
        if job.number == 4:
            press_ctrl_c()
        TrialEvents(job.folder).add("ended", value=0.5)
        return JobEnd(job.number, 0)

    one = pretend(pauses, trials=9, slots=3)
    with pytest.raises(KeyboardInterrupt):
        one.run()
    assert [job.number for job in one.executor.jobs] == [0, 1, 2]
    assert [is_paused(trial) for trial in one.shared_study.trials()] == [True] * 3
    again = pretend(ends, trials=9, slots=3)
    with pytest.raises(KeyboardInterrupt):
        again.run()
    assert [job.number for job in again.executor.jobs] == [0, 3, 4]
    assert [promoted_after(trial) for trial in again.shared_study.trials()] == [(1,), (), (), (), ()]


def test_a_promoted_trial_that_dies_goes_on(pretend):
    deaths = []

    def script(job):
        progress = TrialEvents(job.folder).read()
        if not progress.reported:
            pause(job, 1.0 + job.number)
            return JobEnd(job.number, 0)
        deaths.append(job.number)
        if len(deaths) == 1:
            return JobEnd(job.number, -9)
        TrialEvents(job.folder).add("ended", value=0.5)
        return JobEnd(job.number, 0)

    one = pretend(script, trials=3)
    one.run()
    assert deaths == [0, 0]
    assert [(trial.state, trial.value) for trial in one.shared_study.trials()] == [
        (TrialState.COMPLETE, 0.5),
        (TrialState.PRUNED, 2.0),
        (TrialState.PRUNED, 3.0),
    ]
