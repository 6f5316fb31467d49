"""`seqlab-report`: one page of all results. `python -m seqlab.report` is the same."""

from pathlib import Path

from omegaconf import DictConfig

from seqlab.cli import run_command


def task(config: DictConfig) -> None:
    """Writes the page; what reads runs is imported only here."""
    from seqlab.reporting.page.report import write_report

    runs = None if config.runs is None else [Path(run) for run in config.runs]
    write_report(Path(config.outputs), runs, Path(config.output))


def main() -> None:
    """The command line."""
    run_command("report", task)


if __name__ == "__main__":
    main()
