"""`seqlab-runs`: lists, tags and cleans runs. `python -m seqlab.past_runs` is the same."""

import sys
from typing import Any

from omegaconf import DictConfig

from seqlab.cli import run_command
from seqlab.config.runs_settings import read_runs_command
from seqlab.typed_arguments import refuse_unknown, verbatim


def task(config: DictConfig) -> Any:
    """Does what `action` says; what reads runs is imported only here."""
    refuse_unknown()
    settings = read_runs_command(config)
    from seqlab.multiruns.runs_command import run

    return run(settings)


def main() -> None:
    """The command line; its first word may be the action."""
    if len(sys.argv) > 1 and sys.argv[1].isalpha():
        sys.argv[1] = f"action={sys.argv[1]}"
    sys.argv[1:] = verbatim(sys.argv[1:], "where")
    run_command("runs", task, imports_from_here=False)


if __name__ == "__main__":
    main()
