"""`seqlab-generate`: how a trained model continues a text, as it comes. `python -m seqlab.generate` is the same."""

import sys
from typing import Any

from omegaconf import DictConfig

from seqlab.cli import added, run_command, verbatim


def task(config: DictConfig) -> Any:
    """Generates as `config` says; torch is imported only here."""
    from seqlab.training.failures import explained
    from seqlab.training.generation import generate

    with explained(config):
        return generate(config)


def main() -> None:
    """The command line."""
    sys.argv[1:] = verbatim(added(sys.argv[1:], "decoding"), "prompt")
    run_command("generate", task)


if __name__ == "__main__":
    main()
