"""`seqlab-evaluate`: measures a finished run again. `python -m seqlab.evaluate` is the same."""

import sys
from typing import Any

from omegaconf import DictConfig

from seqlab.cli import run_command
from seqlab.config.settings import read_evaluate
from seqlab.typed_arguments import added, refuse_unknown


def task(config: DictConfig) -> Any:
    """Measures as `config` says; torch is imported only here."""
    refuse_unknown()
    settings = read_evaluate(config)
    from seqlab.training.error_messages import readable_errors
    from seqlab.training.evaluate_run import evaluate

    with readable_errors(settings.batch_sizes):
        return evaluate(settings)


def main() -> None:
    """The command line."""
    sys.argv[1:] = added(sys.argv[1:], "decoding")  # they change the model's own search
    run_command("evaluate", task)


if __name__ == "__main__":
    main()
