"""From a Hydra command line to an exit code. Nothing here imports torch."""

from __future__ import annotations

import errno
import functools
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeGuard

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.errors import ExecutionError, UsageError
from hydra_pruning_sweeper.messages import error_lines, labelled
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE
from seqlab import paths
from seqlab.command_help import register_help
from seqlab.command_line import SLOTS_LAUNCHER
from seqlab.config.settings import check_files
from seqlab.errors import Carried, FailedRunsError, InputError, StoppedError
from seqlab.extras import install_line, not_installed
from seqlab.folders import ERROR, leave_nothing
from seqlab.hydra_messages import one_line, without_advice
from seqlab.interrupts import raise_again, terminated_as_by_ctrl_c
from seqlab.private_parts import let_errors_through, run_once, share_config_store
from seqlab.typed_arguments import check_spelling, nulls_named

# Errors of a path that cannot be written to: no space, no permission, another file in the way.
UNUSABLE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
}


def import_from_here() -> None:
    """Adds the current folder to the module search path, after all installed packages, so that it replaces none."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)


def before_torch_is_loaded() -> None:
    """Sets what torch and its OpenMP read from the environment when they are loaded, unless the user has set it."""
    # torch then allocates large tensors in large pages, which Linux hands out far faster.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # A thread that waits for the others spins for milliseconds by default. Where other work has their cores, it spins
    # through all of its time: beside two busy processes a step of 26 ms took 4.6 s. With a short spin before it sleeps,
    # the step takes 0.08 s there, and on an idle machine as long as before.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def prepare() -> None:
    """Prepares this process for a command: what torch reads, what the sweeper calls things, resolvers."""
    before_torch_is_loaded()
    NAMES.command, NAMES.storage_variable = "seqlab-sweep", "SEQLAB_STORAGE"
    NAMES.install_dashboard, NAMES.install_matplotlib = install_line("optuna_dashboard"), install_line("matplotlib")
    NAMES.check, NAMES.launcher = check_files, SLOTS_LAUNCHER
    share_config_store()
    register_help()


def run_command(config_name: str, task: Callable[[DictConfig], Any], imports_from_here: bool = True) -> None:
    """Composes `conf/<config_name>.yaml` with the command line and calls `task` with it.

    Bad input (a setting, a file) ends with one message and exit code 2, a run that cannot continue with one and exit
    code 1, a stopped run with 130. HYDRA_FULL_ERROR=1 shows the traceback instead, except after a stop. If a run of a
    multirun fails for any reason, the others continue, and the exit code is 1 (see `Comparison`); stopping one run
    stops all. A trial of a sweep raises its error, so that the sweep learns the reason.

    Args:
        imports_from_here: whether modules in the current folder may be imported. Commands that read bundles written by
            others allow it only if the user trusts some package (`import_from_here`).
    """
    if imports_from_here:
        import_from_here()
    let_errors_through()
    prepare()
    if _is_trial():  # a single run, though its configuration is a search's
        run_once()

    started = False

    @functools.wraps(task)
    def run(config: DictConfig) -> Any:
        nonlocal started
        started = True
        return _run(task, config)

    try:
        raise_again()
        check_spelling(sys.argv[1:])
        sys.argv[1:] = nulls_named(sys.argv[1:], config_name)
        hydra.main(version_base="1.3", config_path=str(paths.config_dir()), config_name=config_name)(run)()
    except (Carried, Exception) as stop:
        _exit_with_one_line(stop.error if isinstance(stop, Carried) else stop, config_name, started)
        raise
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(StoppedError.exit_code)


def _is_trial() -> bool:
    """Whether this process is a trial of a sweep."""
    return TRIAL_VARIABLE in os.environ


def _shows_tracebacks() -> bool:
    return os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0")


def _run(task: Callable[[DictConfig], Any], config: DictConfig) -> Any:
    """Calls the task for a run, alone or one of a multirun, as `run_command` says."""
    try:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return _run_of_multirun(task, config)
        return _single_run(task, config)
    except KeyboardInterrupt:  # before training has begun, or in a command that leaves nothing
        _leave_nothing()
        raise
    except BrokenPipeError as error:  # the reader of the output has gone
        raise Carried(error) from error


def _single_run(task: Callable[[DictConfig], Any], config: DictConfig) -> Any:
    """Calls the task. Bad input and a stop leave no folder of a run that has not begun."""
    try:
        with terminated_as_by_ctrl_c():
            return call_task(task, config)
    except Exception as error:
        code = _exit_code(error)
        if code == InputError.exit_code or isinstance(error, StoppedError):
            _leave_nothing()
        if code is not None and not _shows_tracebacks():
            raise Carried(error) from error  # of an Exception Hydra would print the overrides
        raise


def _run_of_multirun(task: Callable[[DictConfig], Any], config: DictConfig) -> Any:
    """Calls the task. If it fails, that is reported and None returned, for the others to go on; a trial raises it."""
    if not _is_trial():
        _announce_run()
    try:
        return call_task(task, config)
    except BrokenPipeError:  # which no other run could write to either
        raise
    except StoppedError as error:
        if _is_trial():
            raise
        raise Carried(error) from error  # after an Exception Hydra would start the next run
    except Exception as error:
        _note_failure(error)
        if _is_trial():
            raise
        return None


def _leave_nothing() -> None:
    """Removes the folder of a run that has not begun; those of trials are the sweep's."""
    if not _is_trial():
        leave_nothing(Path(HydraConfig.get().runtime.output_dir))


def _exit_with_one_line(error: Exception, config_name: str, started: bool) -> None:
    """Exits with the error's line and code. Returns where a traceback is to be shown instead.

    Args:
        started: whether Hydra has called the task.
    """
    if isinstance(error, BrokenPipeError):  # the reader of the output (head, less) has gone
        _drop_output()
        sys.exit(1)
    code = _exit_code(error)
    if code is None and not started and isinstance(error, ValueError):  # Hydra's message about its own flags
        code = InputError.exit_code
    shown = isinstance(error, StoppedError | FailedRunsError)  # a sweep recognises a stop by its code
    if code is None or (_shows_tracebacks() and not shown):
        return
    try:
        sys.stdout.flush()
    except OSError:  # the disk is full, as the line below says
        _drop_output()
    label = "stopped" if isinstance(error, StoppedError) else "error"
    print(error_lines(reason_of(error, config_name), label), file=sys.stderr)
    sys.exit(code)


def _announce_run() -> None:
    """Prints which run of a multirun begins, with its settings."""
    run = HydraConfig.get()
    print(*[""] * bool(run.job.num), labelled(f"run {run.job.num}", " ".join(run.overrides.task)), sep="\n", flush=True)


def call_task(task: Callable[[DictConfig], Any], config: DictConfig) -> Any:
    """Calls the task. A missing module of an extra becomes bad input, with the line that installs it."""
    try:
        return task(config)
    except ModuleNotFoundError as error:
        raise not_installed(error, HydraConfig.get().job.name) or error from error


def _drop_output() -> None:
    """Discards what is still to be written to standard output: writing it at exit would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _note_failure(error: Exception) -> None:
    """Reports that one run of a multirun failed, on the screen and in its folder."""
    sys.stdout.flush()
    if _exit_code(error) is None or _shows_tracebacks():
        traceback.print_exception(error)
    reason = _one_line(error) if _exit_code(error) is not None else f"{type(error).__name__}: {_one_line(error)}"
    print(error_lines(f"run {HydraConfig.get().job.num}: {reason}"), file=sys.stderr)
    write_atomically(Path(HydraConfig.get().runtime.output_dir) / ERROR, reason + "\n")


def _is_of_a_path(error: Exception) -> TypeGuard[OSError]:
    return isinstance(error, OSError) and error.errno in UNUSABLE


def _exit_code(error: Exception) -> int | None:
    if isinstance(error, (UsageError, ExecutionError)):
        return error.exit_code
    if _is_of_a_path(error):
        return InputError.exit_code
    return InputError.exit_code if isinstance(error, (HydraException, OmegaConfBaseException)) else None


def reason_of(error: Exception, config_name: str) -> str:
    """Why a command ends, in one line."""
    return without_advice(_one_line(error), config_name)


def _one_line(error: Exception) -> str:
    if _is_of_a_path(error):
        return f"{error.filename or 'output'}: {str(error.strerror).lower()}"
    return one_line(error)
