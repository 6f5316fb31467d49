"""From a Hydra command line to an exit code. Nothing here imports torch."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from seqlab import paths
from seqlab.errors import InputError, RunError

FULL_ERROR = "HYDRA_FULL_ERROR"


def run_command(config_name: str, task: Callable[[DictConfig], Any]) -> None:
    """Composes `conf/<config_name>.yaml` with the command line and calls `task` with it.

    Bad input (a setting, a file) ends with one line and exit code 2, a run that cannot go on with one line and exit
    code 1, one that was stopped with 130. With HYDRA_FULL_ERROR=1 the traceback is shown instead.
    """
    full = os.environ.get(FULL_ERROR, "0") not in ("", "0")
    # Hydra prints errors over several lines and exits with 1 unless this is set: then it lets them through.
    os.environ[FULL_ERROR] = "1"

    @functools.wraps(task)
    def quietly(config: DictConfig) -> Any:
        try:
            return task(config)
        except (InputError, RunError, HydraException, OmegaConfBaseException) as error:
            raise error if full else _Stopped(error) from error

    try:
        hydra.main(version_base="1.3", config_path=str(paths.config_dir()), config_name=config_name)(quietly)()
    except (_Stopped, Exception) as stop:
        error = stop.error if isinstance(stop, _Stopped) else stop
        code = _exit_code(error)
        if full or code is None:
            raise
        sys.stdout.flush()
        print(f"error: {_one_line(error)}", file=sys.stderr)
        sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(130)


class _Stopped(BaseException):
    """Carries an error past Hydra, which would print a line of its own about any Exception of a task."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _exit_code(error: Exception) -> int | None:
    if isinstance(error, (InputError, RunError)):
        return error.exit_code
    # An OSError up here comes from Hydra making the run's folder: the task turns its own into InputError.
    return InputError.exit_code if isinstance(error, (HydraException, OmegaConfBaseException, OSError)) else None


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:  # Hydra's own OSErrors have no file
        return f"{error.filename}: {(error.strerror or str(error)).lower()}"
    return " ".join(str(error).split("Config search path:")[0].split())
