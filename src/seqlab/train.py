"""`seqlab-train`: trains a model, measures it and keeps it. `python -m seqlab.train` is the same."""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from seqlab.cli import run_command
from seqlab.errors import InputError


def task(config: DictConfig) -> Any:
    """Trains as `config` says; torch is imported only here."""
    from seqlab.training.run import train

    return train(config)


def resumed_arguments(arguments: list[str]) -> list[str]:
    """The command line of the run that `resume=FOLDER` names, continued in that folder.

    What else is on the command line is added to it and wins.

    Raises:
        InputError: there is no run in the folder.
    """
    folders = [argument.removeprefix("resume=") for argument in arguments if argument.startswith("resume=")]
    expanded = any(argument.startswith("hydra.run.dir=") for argument in arguments)  # a process started by DDP
    if not folders or folders[-1] in ("", "null") or expanded:
        return arguments
    folder = Path(folders[-1]).resolve()
    stored = folder / ".hydra" / "overrides.yaml"
    if not stored.is_file():
        raise InputError(f"{folders[-1]}: no run to resume (no .hydra/overrides.yaml here)")
    overrides = [str(one) for one in OmegaConf.load(stored)]
    own = [one for one in overrides if not one.startswith("resume=")]
    return [*own, *arguments, f"hydra.run.dir={folder}"]


def main() -> None:
    """The command line."""
    try:
        sys.argv[1:] = resumed_arguments(sys.argv[1:])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    run_command("train", task)


if __name__ == "__main__":
    main()
