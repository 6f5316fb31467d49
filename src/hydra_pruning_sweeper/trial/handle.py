"""The trial that a process runs, as an application without Lightning uses it:

trial = current_trial()
for epoch in range(1, epochs + 1):
    ...
    trial.report(epoch, loss, last=epoch == epochs)
    if trial.should_stop():
        break
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.trial.context import TrialContext, context_of_trial
from hydra_pruning_sweeper.trial.reporter import Reporter

ARTIFACTS = "artifacts"  # folder of a study's artifacts; `optuna-dashboard --artifact-dir` shows them


class CurrentTrial:
    """The trial that this process runs. Outside of a sweep it has no number, and its methods do nothing.

    Attributes:
        number: the trial's number; None outside of a sweep.
        values: its parameters' values.
    """

    def __init__(self, context: TrialContext | None) -> None:
        self.number = None if context is None else context.number
        self.values = {} if context is None else dict(context.values)
        self._folder = None if context is None else Path(context.folder)
        self._reporter = None if context is None else Reporter(context)
        self._stops = False

    def report(self, step: int, value: float, last: bool = False) -> None:
        """Reports the `value` of `step`, counted from 1: an epoch, or whatever the pruner's resource is.

        Args:
            step: the step. One that a killed trial repeats is answered as before.
            value: what is minimized or maximized; in a search of several objectives, which prunes nothing, any metric
                worth watching. The trial is pruned if it is not finite.
            last: whether this is the last step of a full training, after which a trial is complete.
        """
        if self._reporter is not None:
            self._stops = self._reporter.report(step, value, last)

    def should_stop(self) -> bool:
        """Whether the trial is to end after the step that was reported last: it is pruned, or paused.

        The task then returns, with any value. A paused trial is later started again, to go on from its checkpoint.
        """
        return self._stops

    def note(self, name: str, value: Any) -> None:
        """Keeps a value beside the trial's result, such as a second metric: an attribute of Optuna's trial, and a
        column of `trials.csv`.

        Args:
            name: its name.
            value: anything that JSON can hold.
        """
        if self._reporter is not None:
            self._reporter.keep_note(name, value)

    def keep(self, path: Path | str) -> None:
        """Copies a file to the study's artifacts (`optuna.artifacts`), where Optuna's dashboard finds it."""
        if self._reporter is not None and self._folder is not None:
            self._reporter.keep_file(Path(path), self._folder.parent / ARTIFACTS)


def current_trial() -> CurrentTrial:
    """The trial that this process runs. Call it once in a run.

    Raises:
        ValueError: the trial is not running.
    """
    return CurrentTrial(context_of_trial())
