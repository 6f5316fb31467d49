"""`seqlab-sweep`: looks at a study, and mends it. `python -m seqlab.sweep` is the same."""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from seqlab.cli import refuse_unknown, run_command
from seqlab.config.settings import read_sweep_command


def task(config: DictConfig) -> Any:
    """Does what `action` says; Optuna is imported only here."""
    refuse_unknown()
    settings = read_sweep_command(config)
    from hydra_pruning_sweeper.views.command import run

    folder = Path(settings.study)
    return run(settings.action, folder if folder.is_dir() else Path(settings.folder, settings.study), settings.storage)


def main() -> None:
    """The command line; its first word is the action."""
    if len(sys.argv) > 1 and sys.argv[1].isalpha():
        sys.argv[1] = f"action={sys.argv[1]}"
    run_command("sweep", task)


if __name__ == "__main__":
    main()
