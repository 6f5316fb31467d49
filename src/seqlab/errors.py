"""The ways in which a command stops with one line instead of a traceback."""


class InputError(ValueError):
    """What the user gave cannot be used: a file, a line in it, a setting. Exit code 2."""

    exit_code = 2


class Carried(BaseException):
    """Carries an error past Hydra, which would make a line of its own, or a warning, of any Exception."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class RunError(RuntimeError):
    """A run that was asked for correctly cannot go on: a loss that is not finite, no memory left. Exit code 1."""

    exit_code = 1


class StoppedError(RunError):
    """The user stopped the run (Ctrl-C, SIGTERM); it can be resumed. Exit code 130."""

    exit_code = 130
