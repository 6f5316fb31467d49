"""`seqlab-evaluate`: measures a finished run anew. `python -m seqlab.evaluate` is the same."""

from typing import Any

from omegaconf import DictConfig

from seqlab.cli import run_command


def task(config: DictConfig) -> Any:
    """Measures as `config` says; torch is imported only here."""
    from seqlab.training.evaluation import evaluate
    from seqlab.training.failures import explained

    with explained(config):
        return evaluate(config)


def main() -> None:
    """The command line."""
    run_command("evaluate", task)


if __name__ == "__main__":
    main()
