"""`seqlab-report`: one page of all results. `python -m seqlab.report` is the same."""

from omegaconf import DictConfig

from seqlab.cli import import_from_here, run_command
from seqlab.config.settings import read_report
from seqlab.typed_arguments import refuse_unknown


def task(config: DictConfig) -> None:
    """Writes the page; what reads runs and draws models is imported only here."""
    refuse_unknown()
    settings = read_report(config)
    from seqlab.reporting.page.write_report import write_report

    if settings.trust.packages:
        import_from_here()
    runs = None if settings.runs is None else list(settings.runs)
    write_report(settings.outputs, runs, settings.output, _diagrams, settings.trust)


def _diagrams() -> dict[str, str]:
    """A diagram per architecture, by the name that is typed as `model=`; all are of one size, so that they compare."""
    from seqlab.inspection.diagram import diagram
    from seqlab.inspection.model_summary import architectures

    structures = architectures("model_size=small")
    return {name: diagram({**one, "name": name}, f"diagram-{name}") for name, one in structures.items()}


def main() -> None:
    """The command line."""
    run_command("report", task, imports_from_here=False)


if __name__ == "__main__":
    main()
