"""`hydra-pruning-sweeper`: looks at studies, and repairs them, where an application has no command for it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hydra_pruning_sweeper.errors import ExecutionError, InterruptionError, UsageError
from hydra_pruning_sweeper.messages import printable, wrapped
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.study.addresses import hidden
from hydra_pruning_sweeper.study.record import RECORD
from hydra_pruning_sweeper.views.command import ACTIONS, run
from hydra_pruning_sweeper.views.study_list import print_studies

DESCRIPTION = """
Without a folder, or with one that holds studies, it lists them. For the study in FOLDER: status shows its trials, best
its best configuration and the command that runs it, plot draws it, retry has failed trials tried again when the search
is started again, repair removes unreadable lines of its journal.
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(NAMES.command, description=DESCRIPTION)
    parser.add_argument("action", nargs="?", default="status", choices=ACTIONS)
    parser.add_argument("folder", nargs="?", default="multirun", type=Path, help="by default: multirun")
    parser.add_argument("--storage", help="the address of the study's storage, if that is on a server")
    arguments = parser.parse_args()
    try:
        _act(arguments.action, arguments.folder, arguments.storage)
    except (UsageError, ExecutionError) as error:
        print(f"error: {printable(hidden(str(error)))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(InterruptionError.exit_code)


def _act(action: str, folder: Path, storage: str | None) -> None:
    if action != "status" or (folder / RECORD).is_file():
        run(action, folder, storage)
    elif not print_studies(folder, storage):
        print(wrapped(f"no study is in {printable(str(folder))}"))
