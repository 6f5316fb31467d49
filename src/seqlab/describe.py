"""`seqlab-describe`: what a dataset holds, or what a model is made of. `python -m seqlab.describe` is the same."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from hydra_pruning_sweeper.atomic_files import write_atomically
from seqlab.cli import refuse_unknown, run_command
from seqlab.errors import InputError
from seqlab.inspection.diagram import diagram


def task(config: DictConfig) -> Any:
    """Describes the model of `config`, if there is one, else its data; torch is imported only here."""
    refuse_unknown()
    from seqlab.dataset_analysis.dataset_summary import describe
    from seqlab.files import write_json
    from seqlab.inspection.model_summary import architecture, print_structure
    from seqlab.training.error_messages import explained

    if config.output is not None and not isinstance(config.output, str):
        raise InputError(f"output must name a file, or be null, but is {config.output!r}")
    with explained(config):
        if config.model is None:
            if config.model_size is not None:
                raise InputError(f"model_size={config.model_size} is of a model: say which, with model=…")
            return describe(config)
        structure = architecture(config)
        print_structure(structure)
        if config.output is not None:
            path = Path(config.output)
            if path.suffix == ".svg":
                write_atomically(path, diagram(structure))
            else:
                write_json(path, structure)
            print(f"\nwritten to {config.output}")
    return None


def main() -> None:
    """The command line."""
    run_command("describe", task)


if __name__ == "__main__":
    main()
