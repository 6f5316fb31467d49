"""The ways in which a command stops with one line instead of a traceback.

They derive from the sweeper's, which treats a trial that ends with one of them accordingly.
"""

from hydra_pruning_sweeper import errors


class InputError(errors.UsageError):
    """What the user gave cannot be used: a file, a line in it, a setting. Exit code 2."""


class Carried(BaseException):
    """Carries an error past Hydra, which would make a line of its own, or a warning, of any Exception."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class RunError(errors.ExecutionError):
    """A run that was asked for correctly cannot go on: a loss that is not finite, no memory left. Exit code 1."""


class DivergedError(RunError, errors.DivergenceError):
    """A loss or a weight is no finite number any more. A search prunes such a trial instead of trying it again."""


class StoppedError(RunError, errors.InterruptionError):
    """The user stopped the run (Ctrl-C, SIGTERM); it can be resumed. Exit code 130."""
