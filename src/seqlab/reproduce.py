"""`seqlab-reproduce`: runs published claims and judges them. `python -m seqlab.reproduce` is the same."""

from typing import Any

from omegaconf import DictConfig

from seqlab.cli import run_command
from seqlab.config.settings import read_reproduce
from seqlab.typed_arguments import refuse_unknown


def task(config: DictConfig) -> Any:
    """Runs and judges the claims that `config` names; torch is imported only here."""
    refuse_unknown()
    settings = read_reproduce(config)
    from seqlab.reproduction.reproduce_claims import reproduce

    return reproduce(settings)


def main() -> None:
    """The command line."""
    run_command("reproduce", task)


if __name__ == "__main__":
    main()
