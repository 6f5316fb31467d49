"""`seqlab-train`: trains a model, measures it and saves it. `python -m seqlab.train` is the same."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from hydra_pruning_sweeper.messages import error_lines, printable
from hydra_pruning_sweeper.quoting import quoted, typed_path
from seqlab.callable_module import make_callable
from seqlab.cli import run_command
from seqlab.command_line import PRIMARY
from seqlab.config.hydra_run import this_run
from seqlab.config.plain import kept_overrides, kept_start
from seqlab.config.settings import read_train
from seqlab.errors import InputError
from seqlab.folders import CHECKPOINT, OVERRIDES
from seqlab.private_parts import value_of
from seqlab.typed_arguments import added, refuse_unknown

if TYPE_CHECKING:
    from seqlab.python_calls import TrainedRun


def task(config: DictConfig) -> Any:
    """Trains as `config` says; torch is imported only here."""
    refuse_unknown()
    settings = read_train(config, this_run())
    from seqlab.training.run import train

    return train(settings)


def resumed_arguments(arguments: list[str]) -> list[str]:
    """The command line of the run that `resume=FOLDER` names, continued in that folder.

    Other settings on the command line are added and take precedence.

    Raises:
        InputError: there is no run in the folder, or it saved no checkpoint.
    """
    typed = [argument.removeprefix("resume=") for argument in arguments if argument.startswith("resume=")]
    folders = [_text(one) for one in typed]
    if not folders or folders[-1] in ("", "null"):
        return arguments
    folder = Path(folders[-1]).resolve()
    into = f"hydra.run.dir={quoted(str(folder))}"
    if into in arguments:
        return arguments  # a process that DDP started: its command line is expanded already
    if not (folder / OVERRIDES).is_file():
        raise InputError(f"{folders[-1]}: no run to resume (no {OVERRIDES} here)")
    saved = kept_overrides(folder)
    start = kept_start(folder)
    if not (folder / CHECKPOINT).is_file():
        again = shlex.join(["seqlab-train", *start.flags, *saved])
        raise InputError(f"{folders[-1]}: nothing was saved there (no {CHECKPOINT}); start it again with {again}")
    if start.directory.is_dir():
        os.chdir(start.directory)  # relative paths start where the run was started
    more = [argument for argument in arguments if not argument.startswith("resume=")]
    # Processes that DDP starts run the same command line in that folder.
    resume = f"resume={quoted(str(typed_path(folder)))}"
    # Hydra would save the new settings before they are compared with the run's; the run saves them itself.
    return [*start.flags, *saved, *more, resume, into, "hydra.output_subdir=null"]


def _text(value: str) -> str:
    """A value as Hydra reads it: without its quotes, if there are any around it."""
    if value[:1] not in ("'", '"'):
        return value
    return value_of(f"resume={value}")


def main() -> None:
    """The command line."""
    try:
        # For an unknown setting of the sweeper its own message names the most similar one.
        sys.argv[1:] = added(resumed_arguments(sys.argv[1:]), "hydra.sweeper")
    except InputError as error:
        print(error_lines(printable(str(error))), file=sys.stderr)
        sys.exit(2)
    run_command(PRIMARY, task)


def from_python(*overrides: str) -> TrainedRun:
    """Trains a model as `seqlab-train` with the same words does, in this process: `train("experiment=dates")`.

    Raises:
        InputError: input that cannot be used, in one line.
        RunError: the run cannot go on, in one line.
        KeyboardInterrupt: it was stopped; the message says how to go on, if anything was saved.
    """
    from seqlab.python_calls import train

    return train(overrides, resumed_arguments, task)


if __name__ == "__main__":
    main()
else:
    make_callable(__name__, from_python)  # `from seqlab import train` gives this module
