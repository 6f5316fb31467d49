"""The runs of a multirun side by side: `comparison.csv`, `comparison.md`, and the same table on the screen.

`python -m seqlab.runs.comparison FOLDER` writes them again, for example for a multirun that was interrupted.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.messages import error_lines, printable, wrapped
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.errors import Carried, FailedRunsError, InputError
from seqlab.folders import LINE, STUDY
from seqlab.metrics.registry import LOSS, METRICS, Metric, entry_of, notes
from seqlab.natural_order import natural
from seqlab.runs.compared_runs import Figure, Setting, grouped, read_runs
from seqlab.runs.result import GENERATED, MOST_WAITED, compared_split
from seqlab.runs.spread import Spread


class Comparison(Callback):
    """Hydra's callback: rewrites the table after every run, and prints it at the end."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Writes the table of the runs so far, so that a multirun that is stopped leaves one."""
        if config.hydra.mode == RunMode.MULTIRUN:
            with contextlib.suppress(InputError):  # the search for a learning rate leaves nothing to compare
                write(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Prints the table; raises a `FailedRunsError`, carried past Hydra, if a run has failed."""
        folder = Path(config.hydra.sweep.dir)
        with contextlib.suppress(InputError):
            show(folder)
        runs, _ = read_runs(folder)
        failed = sum(run.error is not None for run in runs)
        if failed and not (folder / STUDY).exists():  # a sweeper has reported what failed
            raise Carried(FailedRunsError(failed, len(runs), (folder / LINE).is_file()))


def measured_split(settings: Sequence[Setting]) -> str:
    """The split whose metrics are compared."""
    return compared_split([result for setting in settings for result in setting.results])


def _metric(split: str, name: str) -> Figure:
    return lambda result: result.metric(split, name)


def _generated(kind: str) -> Figure:
    return lambda result: result.generation.get(kind, {}).get("per_second")


@dataclass(frozen=True)
class ComparedColumn:
    """A figure as a column of the table.

    Args:
        head: of the column.
        figure: of a run's result.
        form: of mean and deviation; "" for three significant figures.
        note: what the figure is, for the notes below the table.
        is_counted: whether a cell says how many runs have the figure, where not all do.
        is_optional: whether the column is left out where no run has it, as earlier ones did not record it.
    """

    head: str
    figure: Figure
    form: str = ""
    note: str = ""
    is_counted: bool = False
    is_optional: bool = False

    def cell(self, setting: Setting) -> str:
        """The figure of a setting's runs."""
        values = setting.values(self.figure)
        return _cell(values, self.form or _three_digits(values), len(setting.results) if self.is_counted else 0)


PARAMETERS = ComparedColumn("parameters", lambda result: result.parameters, ",.0f")
VAL_LOSS = ComparedColumn("val loss", _metric("val", LOSS), entry_of(LOSS).form, is_counted=True)
LEAKS = ComparedColumn(
    "val leaks",
    lambda result: result.leaked(),
    ".1%",
    "val leaks: validation sentences that appear in training, word for word.",
    is_optional=True,
)
SPEED = ComparedColumn(
    "tokens/s",
    lambda result: result.training.tokens_per_second,
    ",.0f",
    "Tokens are target tokens without padding, seconds those of training without validation;",
)
SECONDS = ComparedColumn("training s", lambda result: result.training.seconds)
COMPUTE = ComparedColumn(
    "TFLOP",
    lambda result: result.training.teraflops,
    note="TFLOP: floating-point operations of training in matrix products, about, in 10¹².",
)
MEMORY = ComparedColumn(
    "MiB",
    lambda result: result.training.mebibytes,
    note="MiB: of memory, held at most in training: by the whole process, or on a GPU by tensors.",
    is_optional=True,
)
OUTPUTS = ComparedColumn(
    "outputs/s",
    _generated(GENERATED),
    note="outputs/s: outputs generated per second after training.",
    is_optional=True,
)
LEAST_IMPORTANT = (OUTPUTS, MEMORY, COMPUTE, LEAKS, SPEED, PARAMETERS, SECONDS)
"""Columns that a narrow terminal goes without, the first of them first."""


def columns(settings: Sequence[Setting]) -> list[ComparedColumn]:
    """The columns of the table after those that say which runs a row is of."""
    split = measured_split(settings)
    metrics = [
        ComparedColumn(f"{split} {one.name.replace('_', ' ')}", _metric(split, one.key), one.form, is_counted=True)
        for one in _compared_metrics(settings, split)
    ]
    several = [PARAMETERS, VAL_LOSS, LEAKS, *metrics, SPEED, SECONDS, COMPUTE, MEMORY, OUTPUTS]
    return [one for one in several if not one.is_optional or any(setting.values(one.figure) for setting in settings)]


def _compared_metrics(settings: Sequence[Setting], split: str) -> list[Metric]:
    """The metrics that are columns of the table."""
    return [one for one in METRICS if one.compared and any(s.values(_metric(split, one.key)) for s in settings)]


def table(settings: Sequence[Setting]) -> TextTable:
    """One row per setting, with mean ± sample standard deviation over its runs."""
    shown = columns(settings)
    labels = len(settings[0].label)
    heads = [*settings[0].label, "runs", *(one.head for one in shown)]
    compared = TextTable(heads, "l" * labels + "r" * (len(heads) - labels), labels)
    for setting in settings:
        finished = len(setting.results)
        runs = str(finished) if finished == len(setting.runs) else f"{finished} of {len(setting.runs)}"
        compared.add(*setting.label.values(), runs, *(one.cell(setting) for one in shown))
    return compared


def fitting(compared: TextTable, width: int) -> TextTable:
    """The table without as many of the least important columns as are too many for a terminal of this width."""
    for least in LEAST_IMPORTANT:
        columns = list(zip(compared.heads, *compared.rows, strict=True))
        widths = [max(map(len, [*head.split(), *cells])) for head, *cells in columns]
        room = width // (2 * compared.labels)  # long labels are folded
        widths[: compared.labels] = [min(one, room) for one in widths[: compared.labels]]
        if sum(widths) + 2 * (len(widths) - 1) <= width:
            break
        kept = [i for i, head in enumerate(compared.heads) if head != least.head]
        rows = [[row[i] for i in kept] for row in compared.rows]
        heads, align = [compared.heads[i] for i in kept], "".join(compared.align[i] for i in kept)
        compared = TextTable(heads, align, compared.labels, rows)
    return compared


def _waited(settings: Sequence[Setting]) -> str:
    """A sentence on runs that waited for a core, whose times are not their own; "" if none did."""
    shares = [result.share_waited for setting in settings for result in setting.results]
    most = max(shares, default=0.0)
    if most <= MOST_WAITED:
        return ""
    return f"times do not compare: runs waited for a core for up to {most:.0%} of their seconds"


def _three_digits(values: Sequence[float]) -> str:
    """A format with three significant figures, but no exponent, so that sizes of any order read well."""
    mean = Spread.of(values).mean if values else 0.0
    size = math.floor(math.log10(abs(mean))) if mean and math.isfinite(mean) else 0
    return f",.{max(0, 2 - size)}f"


def _cell(values: list[float], form: str, runs: int = 0) -> str:
    """Mean ± deviation; "–" if there are no values.

    If only some of the `runs` have a value (the others diverged, for example), the cell says how many: the mean is then
    that of the better runs.
    """
    if not values:
        return "–"
    text = format(Spread.of(values), form)
    return f"{text} ({len(values)} of {runs})" if len(values) < runs else text


def markdown(settings: Sequence[Setting], unread: Sequence[str] = ()) -> str:
    """The table with notes on how to read it, the runs that failed, and those that could not be read."""
    compared = table(settings)
    lines = compared.markdown().splitlines()
    if failures := _failures(settings):
        lines += ["", "Failed:", "", *(f"- {failure}" for failure in failures)]
    if unread:
        lines += ["", "Not read:", "", *(f"- {line}" for line in unread)]
    seeds = sorted({run.seed for setting in settings for run in setting.runs if run.result}, key=natural)
    if seeds:
        environments = [result.environment for setting in settings for result in setting.results]
        machines = sorted({f"{one.get('device', '?')}, threads: {one.get('threads', '?')}" for one in environments})
        metrics = [one.key for one in _compared_metrics(settings, measured_split(settings))]
        meanings = " ".join([*(one.note for one in columns(settings) if one.note), *notes(metrics)])
        lines += [
            "",
            f"Mean ± sample standard deviation over runs; seeds {', '.join(seeds)}; on {' and '.join(machines)}."
            f" {meanings} All metrics: comparison.csv.",
        ]
        if waited := _waited(settings):
            lines += ["", f"{waited[0].upper()}{waited[1:]}."]
        lines += _signatures(settings)
    return "\n".join(lines) + "\n"


def _signatures(settings: Sequence[Setting]) -> list[str]:
    """A line with sacrebleu's signatures of each metric, over all runs."""
    signatures: dict[str, dict[str, None]] = {}
    for setting in settings:
        for result in setting.results:
            for name, signature in result.signatures.items():
                signatures.setdefault(name, {})[f"`{signature}`"] = None
    kinds = [f"{name.replace('_', ' ')}: {' and '.join(several)}" for name, several in signatures.items()]
    return ["", f"sacrebleu's signatures of {'; '.join(kinds)}."] if kinds else []


def _failures(settings: Sequence[Setting]) -> list[str]:
    """One line per failed run: its folder, its setting, and why it failed."""
    lines = []
    for setting in settings:
        label = [f"{name}={value}" for name, value in setting.label.items() if value]
        for run in setting.runs:
            if run.error is not None:
                seed = [f"seed={run.seed}"] if run.seed else []
                lines.append(printable(f"{', '.join([f'run {run.name}', *label, *seed])}: {run.error}"))
    return lines


def comma_separated(settings: Sequence[Setting]) -> str:
    """One row per setting: mean and deviation of each metric of each split, of sizes and of times."""
    figures: dict[str, Figure] = {
        "parameters": lambda result: result.parameters,
        "training/tokens": lambda result: result.training.tokens,
        "training/seconds": lambda result: result.training.seconds,
        "training/tokens_per_second": lambda result: result.training.tokens_per_second,
        "training/flops": lambda result: result.training.flops,
        "training/peak_memory": lambda result: result.training.peak_memory,
    }
    results = [result for setting in settings for result in setting.results]
    for kind in dict.fromkeys(kind for result in results for kind in result.generation):
        figures[f"generation/{kind}/per_second"] = _generated(kind)
    for split in dict.fromkeys(split for result in results for split in result.metrics):
        for name in dict.fromkeys(name for result in results for name in result.metrics.get(split, {})):
            figures[f"{split}/{name}"] = _metric(split, name)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = [f"{name} {kind}" for name in figures for kind in ("mean", "sd")]
    writer.writerow([*settings[0].label, "runs", "failed", "seeds", *heads])
    for setting in settings:
        seeds = " ".join(run.seed for run in setting.runs if run.result)
        failed = sum(run.result is None for run in setting.runs)
        cells = [cell for figure in figures.values() for cell in _mean_and_deviation(setting.values(figure))]
        writer.writerow([*setting.label.values(), len(setting.results), failed, seeds, *cells])
    return text.getvalue()


def _mean_and_deviation(values: list[float]) -> Iterable[float | str]:
    if not values:
        return "", ""
    spread = Spread.of(values)
    return spread.mean, spread.sd


def write(multirun: Path) -> tuple[list[Setting], list[str]]:
    """Writes `comparison.csv` and `comparison.md`.

    Returns:
        The settings, and a line on each run that cannot be read.

    Raises:
        InputError: no run can be read, or one of the files is a link.
    """
    runs, unread = read_runs(multirun)
    if unread and not runs:
        raise InputError(f"{unread[0]}, and no other run is here")
    settings = grouped(multirun, runs)
    for name, content in (("csv", comma_separated(settings)), ("md", markdown(settings, unread))):
        path = multirun / f"comparison.{name}"
        if path.is_symlink():  # in somebody else's folder it may lead anywhere
            raise InputError(f"{path}: a link, through which nothing is written; remove it first")
        write_atomically(path, content)
    return settings, unread


def show(multirun: Path) -> None:
    """Writes the files and prints the table.

    Raises:
        InputError: no run can be read.
    """
    from rich.console import Console

    settings, unread = write(multirun)
    console = Console(highlight=False, markup=False)
    console.print()
    whole = table(settings)
    shown = fitting(whole, console.width)
    shown.show(console)
    console.print()
    if left_out := [head for head in whole.heads if head not in shown.heads]:
        line = f"left out, as they do not fit {console.width} columns: {', '.join(left_out)}; comparison.md has them"
        console.print(wrapped(line, indent=2), soft_wrap=True)
    if waited := _waited(settings):
        console.print(wrapped(waited, indent=2), soft_wrap=True)
    for line in [f"failed: {failure}" for failure in _failures(settings)] + [f"not read: {line}" for line in unread]:
        console.print(wrapped(line, indent=2), soft_wrap=True)
    console.print(wrapped(f"kept in {printable(str(multirun))}/comparison.md and comparison.csv"), soft_wrap=True)


def main() -> None:
    """The command line."""
    try:
        if len(sys.argv) != 2:
            raise InputError("name one folder, that of a multirun")
        show(Path(sys.argv[1]))
    except (InputError, OSError) as error:
        print(error_lines(printable(str(error))), file=sys.stderr)
        sys.exit(InputError.exit_code)


if __name__ == "__main__":
    main()
