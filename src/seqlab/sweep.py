"""`seqlab-sweep`: looks at studies, and repairs them. `python -m seqlab.sweep` is the same."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from hydra_pruning_sweeper.messages import printable, wrapped
from seqlab.callable_module import make_callable
from seqlab.cli import run_command
from seqlab.config.settings import read_sweep_command
from seqlab.errors import InputError
from seqlab.typed_arguments import refuse_unknown

if TYPE_CHECKING:
    from seqlab.python_calls import FoundSettings


def task(config: DictConfig) -> Any:
    """Does what `action` says; Optuna is imported only here."""
    refuse_unknown()
    settings = read_sweep_command(config)
    from hydra_pruning_sweeper.views.command import run

    if settings.study is None:
        if settings.action != "status":
            raise InputError("study is not set; type study=…")
        return _list_studies(Path(settings.folder), settings.storage)
    folder = Path(settings.study)
    return run(settings.action, folder if folder.is_dir() else Path(settings.folder, settings.study), settings.storage)


def _list_studies(folder: Path, storage: str | None) -> None:
    """Lists the studies in `folder`, and says how to look at one, or how to begin one."""
    from hydra_pruning_sweeper.views.study_list import print_studies

    if print_studies(folder, storage):
        typed = [text for text in sys.argv[1:] if text.startswith(("folder=", "storage="))]
        print(f"\nto look at one: {shlex.join(['seqlab-sweep', 'status', 'study=NAME', *typed])}")
    else:
        print(wrapped(f"no study is in {printable(str(folder))};"))
        print("to begin one: seqlab-train -m +sweeps=NAME")


def main() -> None:
    """The command line; its first word is the action."""
    if len(sys.argv) > 1 and sys.argv[1].isalpha():
        sys.argv[1] = f"action={sys.argv[1]}"
    run_command("sweep", task)


def from_python(*overrides: str) -> FoundSettings:
    """Searches as `seqlab-train -m` with the same words does: `sweep("+sweeps=reversal_bahdanau")`. The same words
    again continue the search.

    Raises:
        InputError, UsageError: input that cannot be used, in one line.
        ExecutionError: too many trials failed, or none is complete.
        KeyboardInterrupt: it was stopped; the same words continue it.
    """
    from seqlab.python_calls import search
    from seqlab.train import task as train_task

    return search(overrides, train_task)


if __name__ == "__main__":
    main()
else:
    make_callable(__name__, from_python)  # `from seqlab import sweep` gives this module
