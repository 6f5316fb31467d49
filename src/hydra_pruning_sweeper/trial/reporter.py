"""How a trial reports its values and hears whether to stop.

Optuna is imported with the first reporter: a run that is no trial does without.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from hydra_pruning_sweeper.study.lease import this_process
from hydra_pruning_sweeper.trial.context import TrialContext, current_trial
from hydra_pruning_sweeper.trial.events import Decision, TrialEvents

if TYPE_CHECKING:
    from hydra_pruning_sweeper.trial.attached_trial import AttachedTrial


def attach(context: TrialContext) -> AttachedTrial:
    """The trial that a process was handed.

    Raises:
        ValueError: it is not running.
    """
    import optuna
    from hydra.utils import instantiate
    from optuna.pruners import NopPruner

    from hydra_pruning_sweeper.study.storage import StudyStorage
    from hydra_pruning_sweeper.trial.attached_trial import AttachedTrial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = NopPruner() if context.pruner is None else instantiate(context.pruner)
    return AttachedTrial(
        context.study, context.number, StudyStorage(context.address()).storage, pruner, context.direction
    )


class Reporter:
    """Reports a trial's values, and says whether to stop.

    What it reports is the best value so far, since a pruner compares what stands at a step. A step that is taken again
    after a death gets the answer that it got, so that a killed trial ends as one that never was.

    Raises:
        ValueError: the trial is not running.
    """

    def __init__(self, context: TrialContext) -> None:
        self.events = TrialEvents(Path(context.folder))
        self._progress = self.events.read()
        self._sign = 1 if context.direction == "minimize" else -1
        self._trial = attach(context)
        host, pid, start = this_process()
        self.events.add("process", host=host, pid=pid, start=start)

    def report(self, step: int, value: float, last: bool = False) -> bool:
        """Whether to stop after `step` (counted from 1), which came to `value`.

        At the last step nothing is asked: a trial that has run in full is complete.
        """
        if not math.isfinite(value):
            self.events.add("diverged", step=step)
            return True
        known = self._progress.decisions.get(step)
        if known is None:
            earlier = [one for at, one in self._progress.reported.items() if at < step]
            best = self._sign * min(self._sign * one for one in (*earlier, value))
            self._progress.reported[step] = best
            self.events.add("reported", step=step, value=best, raw=value)
            self._trial.report(best, step)
            if last:
                return False
            prune, notes = self._trial.decide(step)
            # First into the trial's own memory: a kill in between must not make it forget that it was to stop.
            known = self._progress.decisions[step] = Decision(prune, notes)
            self.events.add("decided", step=step, prune=prune, notes=notes)
        self._trial.note(known.notes)
        return known.prune


def reporter() -> Reporter | None:
    """A reporter for the trial that this process is; None outside of a sweep."""
    context = current_trial()
    return None if context is None else Reporter(context)
