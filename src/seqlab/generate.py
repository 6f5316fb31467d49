"""`seqlab-generate`: how a trained model continues a text, as it comes. `python -m seqlab.generate` is the same."""

import sys
from typing import Any

from omegaconf import DictConfig

from seqlab.cli import added, import_from_here, refuse_unknown, run_command, verbatim
from seqlab.kinds import Trust


def task(config: DictConfig) -> Any:
    """Generates as `config` says; torch is imported only here."""
    refuse_unknown()
    if Trust.of(config.trust).packages:
        import_from_here()
    from seqlab.inference.generation import generate
    from seqlab.training.error_messages import explained

    with explained(config):
        return generate(config)


def main() -> None:
    """The command line."""
    sys.argv[1:] = verbatim(added(sys.argv[1:], "decoding"), "prompt")
    run_command("generate", task, own_code=False)


if __name__ == "__main__":
    main()
