"""The runs of a multirun side by side: `comparison.csv`, `comparison.md`, and the same table on the screen.

`python -m seqlab.runs.comparison FOLDER` writes them again, for example for a multirun that was interrupted.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.differences import differences, listed
from hydra_pruning_sweeper.messages import error_lines, printable, wrapped
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.config.plain import parse
from seqlab.errors import Carried, FailedRunsError, InputError
from seqlab.folders import ERROR, LINE, STUDY
from seqlab.metrics.registry import METRICS, Metric, entry_of, notes
from seqlab.natural_order import natural
from seqlab.runs.description import description
from seqlab.runs.json_checks import read_file
from seqlab.runs.result import MOST_WAITED, RESULT, RunResult
from seqlab.runs.run_folder import name_and_value
from seqlab.runs.seed_groups import compared_overrides, seed_groups
from seqlab.runs.spread import spread

APART = "apart by"
"""The heading of what differs between runs that have the same overrides."""
VAL_LOSS = "teacher_forced/loss"
LEAST_IMPORTANT = ("TFLOP", "val leaks", "tokens/s", "parameters", "training s")
"""Columns that a narrow terminal goes without, the first of them first."""

Figure = Callable[[RunResult], float | None]
"""A number of a result; None where the result does not have it."""


@dataclass(frozen=True)
class Run:
    """A run that ended: the name of its folder, its overrides, and its result or why it failed."""

    name: str
    overrides: dict[str, str]
    result: RunResult | None
    error: str | None

    @property
    def seed(self) -> str:
        """The seed; that of a failed run as it was typed, "" if it was not."""
        return str(self.result.seed) if self.result else self.overrides.get("seed", "")


@dataclass(frozen=True)
class Setting:
    """Runs that differ in nothing but their seed.

    Args:
        label: by override, the value that sets these runs apart from others; the name of the runs where none does.
    """

    label: dict[str, str]
    runs: list[Run]

    @property
    def results(self) -> list[RunResult]:
        """The results of the runs that finished."""
        return [run.result for run in self.runs if run.result]

    def values(self, figure: Figure) -> list[float]:
        """A figure of every finished run that has it."""
        return [value for result in self.results if (value := figure(result)) is not None]


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


def settings_of(multirun: Path) -> list[Setting]:
    """The runs below `multirun`, grouped by setting, in the order of the first run of each.

    Raises:
        InputError: there is no run that has finished or failed.
    """
    return _grouped(multirun, read_runs(multirun)[0])


def read_runs(multirun: Path) -> tuple[list[Run], list[str]]:
    """The runs that have ended, in natural order, and a line on each run whose files cannot be read."""
    names = [path.parents[1].relative_to(multirun) for path in multirun.rglob(".hydra/overrides.yaml")]
    runs, unread = [], []
    for name in sorted(names, key=lambda name: [natural(part) for part in name.parts]):
        try:
            runs += [run] if (run := _run(multirun, name)) else []
        except InputError as problem:
            unread.append(printable(str(problem)))
    return runs, unread


def _grouped(multirun: Path, runs: Sequence[Run]) -> list[Setting]:
    if not runs:
        raise InputError(f"{multirun}: no runs here that have ended; expected the folder of a multirun")
    overridden = dict.fromkeys(name for run in runs for name in compared_overrides(run.overrides))
    varied = [name for name in overridden if len({run.overrides.get(name) for run in runs}) > 1]
    groups = seed_groups(runs, lambda run: tuple(run.overrides.get(name) for name in varied), lambda run: run.result)
    keys = list(dict.fromkeys(key for key, _ in groups))
    groups.sort(key=lambda group: keys.index(group[0]))
    name = next((run.result.name for run in runs if run.result), "")
    labels = [{n: v or "" for n, v in zip(varied, key, strict=True)} or {"setting": name} for key, _ in groups]
    if len(keys) < len(groups):
        first: dict[tuple[str | None, ...], list[Run]] = {}
        for label, (key, members) in zip(labels, groups, strict=True):
            label[APART] = _differences(first.setdefault(key, members), members)
    return [Setting(label, members) for label, (_, members) in zip(labels, groups, strict=True)]


def _differences(first: Sequence[Run], others: Sequence[Run]) -> str:
    """What sets runs apart from the first ones of the same overrides, such as edited data; "" for these themselves."""
    if others is first:
        return ""
    one, other = (next(run.result for run in runs if run.result) for runs in (first, others))
    return listed(differences(description(one), description(other)))


def _run(multirun: Path, name: Path) -> Run | None:
    """The run in a folder; None while it has neither finished nor failed."""
    folder = multirun / name
    finished = (folder / RESULT).exists()
    if not (finished or (folder / ERROR).exists()):
        return None
    try:
        text = read_file(folder / ".hydra" / "overrides.yaml").decode("utf-8")
        lines = parse(text) or []
        overrides = dict(name_and_value(str(line)) for line in lines)
        if not finished:
            return Run(str(name), overrides, None, read_file(folder / ERROR).decode("utf-8").strip())
    except (AttributeError, TypeError, ValueError) as problem:
        reason = " ".join(str(problem).split())
        raise InputError(f"{folder}: not the folder of a run ({reason})") from None
    return Run(str(name), overrides, RunResult.read(folder), None)


def measured_split(settings: Sequence[Setting]) -> str:
    """The split whose metrics are compared: test, or validation where some run has no test split."""
    results = [result for setting in settings for result in setting.results]
    return "test" if results and all("test" in result.metrics for result in results) else "val"


def _metric(split: str, name: str) -> Figure:
    return lambda result: result.metric(split, name)


def _generated(kind: str) -> Figure:
    return lambda result: result.generation.get(kind, {}).get("outputs_per_second")


def _compared_metrics(settings: Sequence[Setting], split: str) -> list[Metric]:
    """The metrics that are columns of the table."""
    return [one for one in METRICS if one.compared and any(s.values(_metric(split, one.key)) for s in settings)]


def table(settings: Sequence[Setting]) -> TextTable:
    """One row per setting, with mean ± sample standard deviation over its runs."""
    split = measured_split(settings)
    shown = _compared_metrics(settings, split)
    leaking = any(setting.values(lambda result: result.leaked) for setting in settings)
    heads = [*settings[0].label, "runs", "parameters", "val loss", *(["val leaks"] if leaking else [])]
    heads += [f"{split} {one.name.replace('_', ' ')}" for one in shown]
    heads += ["tokens/s", "training s", "TFLOP"]
    labels = len(settings[0].label)
    compared = TextTable(heads, "l" * labels + "r" * (len(heads) - labels), labels)
    for setting in settings:
        finished = len(setting.results)
        runs = str(finished) if finished == len(setting.runs) else f"{finished} of {len(setting.runs)}"
        cells = [
            _cell(setting.values(lambda result: result.parameters), ",.0f"),
            _cell(setting.values(_metric("val", VAL_LOSS)), entry_of(VAL_LOSS).form, finished),
        ]
        cells += [_cell(setting.values(lambda result: result.leaked), ".1%")] if leaking else []
        cells += [_cell(setting.values(_metric(split, one.key)), one.form, finished) for one in shown]
        cells += [_cell(setting.values(lambda result: result.training.tokens_per_second), ",.0f")]
        cells += [_significant(setting.values(lambda result: result.training.seconds))]
        cells += [_significant(setting.values(lambda result: result.training.teraflops))]
        compared.add(*setting.label.values(), runs, *cells)
    return compared


def fitting(compared: TextTable, width: int) -> TextTable:
    """The table without as many of the least important columns as are too many for a terminal of this width."""
    for name in LEAST_IMPORTANT:
        columns = list(zip(compared.heads, *compared.rows, strict=True))
        widths = [max(map(len, [*head.split(), *cells])) for head, *cells in columns]
        room = width // (2 * compared.labels)  # long labels are folded
        widths[: compared.labels] = [min(one, room) for one in widths[: compared.labels]]
        if sum(widths) + 2 * (len(widths) - 1) <= width:
            break
        kept = [i for i, head in enumerate(compared.heads) if head != name]
        rows = [[row[i] for i in kept] for row in compared.rows]
        heads, align = [compared.heads[i] for i in kept], "".join(compared.align[i] for i in kept)
        compared = TextTable(heads, align, compared.labels, rows)
    return compared


def _waited(settings: Sequence[Setting]) -> str:
    """A sentence on runs that waited for a core, whose times are not their own; "" if none did."""
    shares = [result.training.share_waited for setting in settings for result in setting.results]
    most = max(shares, default=0.0)
    if most <= MOST_WAITED:
        return ""
    return f"times do not compare: runs waited for a core for up to {most:.0%} of their training"


def _significant(values: list[float]) -> str:
    """A cell with three significant figures, but no exponent, so that sizes of any order read well."""
    mean = spread(values)["mean"] if values else 0.0
    size = math.floor(math.log10(abs(mean))) if mean and math.isfinite(mean) else 0
    return _cell(values, f",.{max(0, 2 - size)}f")


def _cell(values: list[float], form: str, runs: int = 0) -> str:
    """Mean ± deviation; the mean alone if all values are the same, "–" if there are none.

    If only some of the `runs` have a value (the others diverged, for example), the cell says how many: the mean is then
    that of the better runs.
    """
    if not values:
        return "–"
    figures = spread(values)
    text = format(figures["mean"], form)
    text += f" ± {format(figures['sd'], form)}" if len(set(values)) > 1 else ""
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
        leaks = (
            " val leaks: validation sentences that appear in training, word for word."
            if "val leaks" in compared.heads
            else ""
        )
        shown = [one.key for one in _compared_metrics(settings, measured_split(settings))]
        counting = "".join(f" {sentence}" for sentence in notes(shown))
        lines += [
            "",
            f"Mean ± sample standard deviation over runs; seeds {', '.join(seeds)}; on {' and '.join(machines)}.{leaks}"
            " Tokens are target tokens without padding, seconds those of training without validation;"
            f" TFLOP: floating-point operations of training in matrix products, about, in 10¹².{counting}"
            " All metrics: comparison.csv.",
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
        figures[f"generation/{kind}/outputs_per_second"] = _generated(kind)
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
    figures = spread(values) if values else {"mean": "", "sd": ""}
    return figures["mean"], figures["sd"]


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
    settings = _grouped(multirun, runs)
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
