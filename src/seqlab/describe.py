"""`seqlab-describe`: what a dataset holds, or the structure of a model. `python -m seqlab.describe` is the same."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from hydra_pruning_sweeper.atomic_files import write_atomically
from seqlab.cli import run_command
from seqlab.config.hydra_run import this_run
from seqlab.config.settings import read_describe
from seqlab.inspection.diagram import diagram_file
from seqlab.typed_arguments import refuse_unknown


def task(config: DictConfig) -> Any:
    """Describes the model of `config` if it has one, otherwise its data; torch is imported only here."""
    refuse_unknown()
    settings = read_describe(config, this_run())
    from seqlab.dataset_analysis.dataset_summary import describe
    from seqlab.files import write_json
    from seqlab.inspection.model_summary import architecture, print_structure
    from seqlab.out_of_memory import memory_errors

    with memory_errors(settings.batch_sizes):
        if settings.model is None:
            return describe(settings)
        structure = architecture(settings)
        print_structure(structure)
        if settings.output is not None:
            path = Path(settings.output)
            if path.suffix == ".svg":
                write_atomically(path, diagram_file(structure))
            else:
                write_json(path, structure)
            print(f"\nwritten to {settings.output}")
    return None


def main() -> None:
    """The command line."""
    run_command("describe", task)


if __name__ == "__main__":
    main()
