"""`seqlab-sweep`: looks at a study, and mends it. `python -m seqlab.sweep` is the same."""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from seqlab.cli import refuse_unknown, run_command


def task(config: DictConfig) -> Any:
    """Does what `config.action` says; Optuna is imported only here."""
    refuse_unknown()
    from hydra_pruning_sweeper.views.command import run

    folder = Path(config.study)
    return run(config.action, folder if folder.is_dir() else Path(config.folder) / config.study, config.storage)


def main() -> None:
    """The command line; its first word is the action."""
    if len(sys.argv) > 1 and sys.argv[1].isalpha():
        sys.argv[1] = f"action={sys.argv[1]}"
    run_command("sweep", task)


if __name__ == "__main__":
    main()
