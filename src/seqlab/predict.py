"""`seqlab-predict`: what a trained model makes of new input. `python -m seqlab.predict` is the same."""

import sys
from typing import Any

from omegaconf import DictConfig

from seqlab.cli import added, import_from_here, refuse_unknown, run_command
from seqlab.kinds import Trust


def task(config: DictConfig) -> Any:
    """Predicts as `config` says; torch is imported only here."""
    refuse_unknown()
    if Trust.of(config.trust).packages:
        import_from_here()
    from seqlab.inference.prediction import predict
    from seqlab.training.error_messages import explained

    with explained(config):
        return predict(config)


def main() -> None:
    """The command line."""
    sys.argv[1:] = added(sys.argv[1:], "decoding")  # of the model's own search, where no other is chosen
    run_command("predict", task, own_code=False)


if __name__ == "__main__":
    main()
