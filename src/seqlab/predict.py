"""`seqlab-predict`: the outputs of a trained model for new input. `python -m seqlab.predict` is the same."""

import sys
from typing import Any

from omegaconf import DictConfig

from seqlab.cli import import_from_here, run_command
from seqlab.config.bundle_settings import read_predict
from seqlab.typed_arguments import added, refuse_unknown


def task(config: DictConfig) -> Any:
    """Predicts as `config` says; torch is imported only here."""
    refuse_unknown()
    settings = read_predict(config)
    if settings.trust.packages:
        import_from_here()
    from seqlab.inference.prediction import predict
    from seqlab.out_of_memory import memory_errors

    with memory_errors({"batch_size": settings.batch_size}):
        return predict(settings)


def main() -> None:
    """The command line."""
    sys.argv[1:] = added(sys.argv[1:], "decoding")  # they change the model's own search
    run_command("predict", task, imports_from_here=False)


if __name__ == "__main__":
    main()
