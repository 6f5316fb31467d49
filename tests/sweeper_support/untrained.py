"""Searches whose trials run in no process: each step of a trial takes its value from a list."""

import math

from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from hydra_pruning_sweeper.study.pausing import pauses_of
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.shared_study import SharedStudy
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.attached_trial import AttachedTrial


def study_of(folder, trials, pruner, direction="minimize", make=lambda seed: RandomSampler(seed=seed), **rules):
    """A study in `folder`."""
    store = StudyStorage(str(folder / "journal.log"))
    space = Space([parameter("x", "interval(0,1)")])
    return SharedStudy(store, "study", direction, space, Rules(trials, **rules), make, pruner)


def advance(study, leased, step, curve):
    """Takes a step of a trial; returns whether it goes on."""
    number, value = leased.number, curve[step - 1]
    if not math.isfinite(value):
        assert study.tell(number, TrialState.PRUNED, error="diverged")
        return False
    direction = study.study.direction.name.lower()
    trial = AttachedTrial("study", number, study.storage, study.pruner)
    best = min if direction == "minimize" else max
    trial.report(best(curve[:step]), step)
    if step == len(curve):
        assert study.tell(number, TrialState.COMPLETE, best(curve))
        return False
    stop, notes = trial.decide(step)
    trial.note(notes)
    if stop and trial.pauses:
        assert study.pause(number, step)
    elif stop:
        assert study.tell(number, TrialState.PRUNED)
    return not stop


def search(study, curves, slots=1):
    """Runs a study to its end; the trial of each number has its curve. Returns the numbers in the order of starts."""
    running, order = [], []
    while True:
        while len(running) < slots and (leased := study.take()) is not None:
            order.append(leased.number)
            running.append((leased, leased.promoted[-1] if leased.promoted else 0))
        if not running:
            assert study.finish() is not None
            return order
        running = [
            (leased, step + 1) for leased, step in running if advance(study, leased, step + 1, curves[leased.number])
        ]


def ends(study):
    """Number → how the trial ended, after which step, and the steps after which it was promoted."""
    return {
        one.number: (one.state.name, one.last_step or 0, [pause.step for pause in pauses_of(one) if pause.promoted])
        for one in study.trials()
    }
