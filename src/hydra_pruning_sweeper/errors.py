"""Errors that end a sweep with one line instead of a traceback.

Errors of an application that derive from these are treated the same way: a `DivergenceError` prunes the trial, an
`InterruptionError` leaves it to be continued.
"""


class UsageError(ValueError):
    """Input of the user cannot be used: a setting, a file, a study of another search. Exit code 2."""

    exit_code = 2


class ExecutionError(RuntimeError):
    """A run that was started correctly cannot go on: too many failed trials, a full disk. Exit code 1."""

    exit_code = 1


class DivergenceError(ExecutionError):
    """A loss or a weight is no longer a finite number. The trial is pruned, not retried."""


class InterruptionError(ExecutionError):
    """The user stopped the run (Ctrl-C, SIGTERM); it can be continued. Exit code 130."""

    exit_code = 130
