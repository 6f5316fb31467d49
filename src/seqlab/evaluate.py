"""`seqlab-evaluate`: measures a finished run anew. `python -m seqlab.evaluate` is the same."""

import sys
from typing import Any

from omegaconf import DictConfig

from seqlab.cli import added, refuse_unknown, run_command


def task(config: DictConfig) -> Any:
    """Measures as `config` says; torch is imported only here."""
    refuse_unknown()
    from seqlab.training.error_messages import explained
    from seqlab.training.evaluate_run import evaluate

    with explained(config):
        return evaluate(config)


def main() -> None:
    """The command line."""
    sys.argv[1:] = added(sys.argv[1:], "decoding")  # of the model's own search, where no other is chosen
    run_command("evaluate", task)


if __name__ == "__main__":
    main()
