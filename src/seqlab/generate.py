"""`seqlab-generate`: a trained model continues a text, shown as it comes. `python -m seqlab.generate` is the same."""

import sys
from typing import Any

from omegaconf import DictConfig

from seqlab.cli import import_from_here, run_command
from seqlab.config.bundle_settings import read_generate
from seqlab.typed_arguments import added, refuse_unknown, verbatim


def task(config: DictConfig) -> Any:
    """Generates as `config` says; torch is imported only here."""
    refuse_unknown()
    settings = read_generate(config)
    if settings.trust.packages:
        import_from_here()
    from seqlab.inference.generation import generate
    from seqlab.out_of_memory import memory_errors

    with memory_errors({}):
        return generate(settings)


def main() -> None:
    """The command line."""
    sys.argv[1:] = verbatim(added(sys.argv[1:], "decoding"), "prompt")
    run_command("generate", task, imports_from_here=False)


if __name__ == "__main__":
    main()
