"""`seqlab-describe`: what a dataset holds. `python -m seqlab.describe` is the same."""

from typing import Any

from omegaconf import DictConfig

from seqlab.cli import run_command


def task(config: DictConfig) -> Any:
    """Describes the data of `config`; torch is imported only here."""
    from seqlab.training.description import describe
    from seqlab.training.failures import explained

    with explained(config):
        return describe(config)


def main() -> None:
    """The command line."""
    run_command("describe", task)


if __name__ == "__main__":
    main()
