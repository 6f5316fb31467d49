"""`seqlab-report`: one page of all results. `python -m seqlab.report` is the same."""

from pathlib import Path

from omegaconf import DictConfig

from seqlab.cli import import_from_here, refuse_unknown, run_command
from seqlab.kinds import Trust


def task(config: DictConfig) -> None:
    """Writes the page; what reads runs and draws models is imported only here."""
    refuse_unknown()
    from seqlab.reporting.page.report import write_report

    if (trust := Trust.of(config.trust)).packages:
        import_from_here()
    runs = None if config.runs is None else [Path(run) for run in config.runs]
    write_report(Path(config.outputs), runs, Path(config.output), _drawn, trust)


def _drawn() -> dict[str, str]:
    """A diagram an architecture, at a size that compares."""
    from seqlab.inspection.diagram import diagram
    from seqlab.inspection.model_summary import architectures

    return {name: diagram(one, f"diagram-{name}") for name, one in architectures("model_size=small").items()}


def main() -> None:
    """The command line."""
    run_command("report", task, own_code=False)


if __name__ == "__main__":
    main()
