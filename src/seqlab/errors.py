"""Errors with which a command stops with one line instead of a traceback.

They derive from the sweeper's errors, by which it decides how to go on after a failed trial.
"""

from hydra_pruning_sweeper import errors
from hydra_pruning_sweeper.messages import plural


class InputError(errors.UsageError):
    """Input of the user cannot be used: a file, a line in it, a setting. Exit code 2."""


class Carried(BaseException):
    """Carries an error past Hydra, which would turn any Exception into its own message, or into a warning."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class RunError(errors.ExecutionError):
    """A run with correct settings cannot go on: the loss is not finite, or memory runs out. Exit code 1."""


class DivergedError(RunError, errors.DivergenceError):
    """A loss or a weight is no longer finite. A search prunes such a trial instead of retrying it."""


class StoppedError(RunError, errors.InterruptionError):
    """The user stopped the run (Ctrl-C, SIGTERM). The message says how to go on. Exit code 130."""


class FailedRunsError(RunError):
    """Some of several runs failed, each for a reason that was printed before. Exit code 1.

    Args:
        failed, runs: how many.
        again: whether typing the same line again tries them again.
    """

    def __init__(self, failed: int, runs: int, again: bool) -> None:
        more = "; the same line tries again" if again else ""
        super().__init__(f"{failed} of {plural(runs, 'run')} failed{more}")
