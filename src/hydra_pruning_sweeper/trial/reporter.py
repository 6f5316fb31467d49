"""How a trial reports its values and learns whether to stop.

Optuna is imported with the first reporter, so that a run outside of a sweep does without it.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra_pruning_sweeper.study.lease import this_process
from hydra_pruning_sweeper.trial.context import TrialContext, context_of_trial
from hydra_pruning_sweeper.trial.events import Decision, TrialEvents

if TYPE_CHECKING:
    from hydra_pruning_sweeper.trial.attached_trial import AttachedTrial


def attach(context: TrialContext) -> AttachedTrial:
    """The trial of this context, in its study's storage.

    Raises:
        ValueError: the trial is not running.
    """
    import optuna
    from optuna.pruners import NopPruner

    from hydra_pruning_sweeper.instantiation import created
    from hydra_pruning_sweeper.study.storage import StudyStorage
    from hydra_pruning_sweeper.trial.attached_trial import AttachedTrial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = NopPruner() if context.pruner is None else created(context.pruner)
    return AttachedTrial(context.study, context.number, StudyStorage(context.address()).storage, pruner)


class Reporter:
    """Reports a trial's values, and tells whether to stop.

    It reports the best value so far, since pruners compare the values at a step; with several objectives, the value
    itself, since nothing is pruned by it. A step that is repeated after a kill
    gets the same answer as before, so that a killed trial ends like an undisturbed one; but a trial that was promoted
    from a step goes on there.

    Attributes:
        is_paused: whether it stops only until it is promoted.

    Raises:
        ValueError: the trial is not running.
    """

    def __init__(self, context: TrialContext) -> None:
        self.events = TrialEvents(Path(context.folder))
        self._progress = self.events.read()
        self._direction = context.direction
        self._trial = attach(context)
        self._promoted = self._trial.promoted
        self.is_paused = False
        host, pid, start = this_process()
        self.events.add("process", host=host, pid=pid, start=start)

    def report(self, step: int, value: float, last: bool = False) -> bool:
        """Reports the `value` of `step`, counted from 1; returns whether to stop after it.

        The pruner is not asked at the last step: a trial that gets there is complete.
        """
        if not math.isfinite(value):
            self.events.add("diverged", step=step)
            return True
        decision = self._progress.decisions.get(step)
        if decision is None:
            best = self._progress.reported[step] = self._best_so_far(step, value)
            self.events.add("reported", step=step, value=best, raw=value)
            self._trial.report(best, step)
            if last:
                return False
            stop, notes = self._trial.decide(step)
            pause = stop and self._trial.pauses
            # Recorded before it is noted in the storage: a kill in between must not lose the decision to stop.
            decision = self._progress.decisions[step] = Decision(stop and not pause, notes, pause)
            self.events.add("decided", step=step, **asdict(decision))
        self._trial.note(decision.notes)
        stops = decision.stops(promoted=step in self._promoted)
        self.is_paused = stops and decision.pause
        return stops

    def _best_so_far(self, step: int, value: float) -> float:
        if isinstance(self._direction, dict):
            return value
        until = [*(one for at, one in self._progress.reported.items() if at < step), value]
        return min(until) if self._direction == "minimize" else max(until)

    def keep_note(self, name: str, value: Any) -> None:
        """Writes an attribute of the trial that the user gave."""
        self._trial.keep_note(name, value)

    def keep_file(self, path: Path, store: Path) -> None:
        """Copies a file of the trial into the artifact store in the folder `store`."""
        self._trial.keep_file(path, store)


def reporter() -> Reporter | None:
    """A reporter for the trial that this process runs; None outside of a sweep."""
    context = context_of_trial()
    return None if context is None else Reporter(context)
