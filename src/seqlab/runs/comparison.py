"""The runs of a multirun side by side: `comparison.csv`, `comparison.md`, and the same table on the screen.

`python -m seqlab.runs.comparison FOLDER` makes them anew, of a multirun that was interrupted for example.
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
from hydra_pruning_sweeper.differences import differences, listed
from hydra_pruning_sweeper.messages import printable
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.config.plain import parse
from seqlab.errors import InputError
from seqlab.identity import HOW_IT_BEGINS
from seqlab.metrics.registry import METRICS, entry_of
from seqlab.natural_order import natural
from seqlab.runs.description import described, description
from seqlab.runs.reading import RESULT as SCHEMA
from seqlab.runs.reading import read_file, read_json
from seqlab.runs.spread import spread

RESULT = "result.json"
ERROR = "error.txt"  # what a run that failed leaves instead of a result
UNCOMPARED = ("seed", *HOW_IT_BEGINS)  # overrides that make no other setting
APART = "apart by"  # the label of what differs between runs of the same overrides


@dataclass(frozen=True)
class Run:
    """One run: its folder's name, what was overridden for it, and its result or how it failed."""

    name: str
    overrides: dict[str, str]
    result: dict[str, Any] | None
    error: str | None

    @property
    def seed(self) -> str:
        """The seed; of a run that failed as it was typed, "" if it was not."""
        return str(self.result["seed"]) if self.result else self.overrides.get("seed", "")


@dataclass(frozen=True)
class Setting:
    """Runs that differ in nothing but their seed. Without anything that varies the label is the runs' own name."""

    label: dict[str, str]
    runs: list[Run]

    @property
    def results(self) -> list[dict[str, Any]]:
        """Those of the runs that finished."""
        return [run.result for run in self.runs if run.result]

    def values(self, *path: str) -> list[float]:
        """A figure of every finished run that has it."""
        found = []
        for result in self.results:
            value: Any = result
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None:
                found.append(value)
        return found

    def leaks(self) -> list[float]:
        """Of every finished run that says so, the share of validation sentences that stand in training, word for word:
        of pairs that of the side of which there are more.
        """
        shares = []
        for result in self.results:
            sides = result.get("leakage", {}).get("val", {}).values()
            if copies := [side["copies"] for side in sides if side.get("copies") is not None]:
                shares.append(max(copies))
        return shares


class Comparison(Callback):
    """Hydra's callback: keeps the table up to date after every run, and prints it at the end."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Writes the table of the runs so far; a multirun that is stopped leaves it behind."""
        if config.hydra.mode == RunMode.MULTIRUN:
            with contextlib.suppress(InputError):  # a range test leaves nothing to compare
                write(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Prints it."""
        with contextlib.suppress(InputError):
            show(Path(config.hydra.sweep.dir))


def settings_of(multirun: Path) -> list[Setting]:
    """The runs below `multirun`, those of one setting together, in the order of the first of each.

    Raises:
        InputError: no run that has finished or failed is there.
    """
    return _grouped(multirun, read_runs(multirun)[0])


def read_runs(multirun: Path) -> tuple[list[Run], list[str]]:
    """The runs that have ended, in a natural order, and a line on each whose files cannot be read."""
    found = [path.parents[1].relative_to(multirun) for path in multirun.rglob(".hydra/overrides.yaml")]
    runs, unread = [], []
    for name in sorted(found, key=lambda name: [natural(part) for part in name.parts]):
        try:
            runs += [run] if (run := _run(multirun, name)) else []
        except InputError as problem:
            unread.append(printable(str(problem)))
    return runs, unread


def _grouped(multirun: Path, runs: Sequence[Run]) -> list[Setting]:
    if not runs:
        raise InputError(f"{multirun}: no runs here that have ended; expected the folder of a multirun")
    overridden = dict.fromkeys(name for run in runs for name in run.overrides)
    varied = [n for n in overridden if n not in UNCOMPARED and len({run.overrides.get(n) for run in runs}) > 1]
    groups: dict[tuple[str | None, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(run.overrides.get(name) for name in varied), []).append(run)
    own = next((run.result["name"] for run in runs if run.result), "")
    labels = [{n: v or "" for n, v in zip(varied, key, strict=True)} or {"setting": own} for key in groups]
    apart = [_apart(group) for group in groups.values()]
    if all(len(one) == 1 for one in apart):
        return [Setting(label, group) for label, group in zip(labels, groups.values(), strict=True)]
    return [
        Setting({**label, APART: what}, group)
        for label, one in zip(labels, apart, strict=True)
        for what, group in one.items()
    ]


def _apart(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs of the same overrides by what else differs (data that were edited, other sizes), named against the first;
    one that failed stands with the first.
    """
    first = next((run.result for run in runs if run.result), {})
    groups: dict[str, list[Run]] = {"": []}
    for run in runs:
        what = ""
        if run.result and described(run.result) != described(first):
            what = listed(differences(description(first), description(run.result)))
        groups.setdefault(what, []).append(run)
    return groups


def _run(multirun: Path, name: Path) -> Run | None:
    """The run of a folder; None while it has neither ended nor failed."""
    result, error = multirun / name / RESULT, multirun / name / ERROR
    if not (result.exists() or error.exists()):
        return None
    try:
        text = read_file(multirun / name / ".hydra" / "overrides.yaml").decode("utf-8")
        lines = parse(text) or []
        overrides = dict(name_and_value(str(line)) for line in lines)
        if not result.exists():
            return Run(str(name), overrides, None, read_file(error).decode("utf-8").strip())
    except (AttributeError, TypeError, ValueError) as problem:
        reason = " ".join(str(problem).split())
        raise InputError(f"{multirun / name}: not the folder of a run ({reason})") from None
    return Run(str(name), overrides, read_json(result, SCHEMA), None)


def name_and_value(override: str) -> tuple[str, str]:
    """`+model.width=8` as ("model.width", "8"); what was taken out (`~model.width`) is "removed"."""
    name, _, value = override.lstrip("+~").partition("=")
    return name, "removed" if override.startswith("~") else value


def measured_split(settings: Sequence[Setting]) -> str:
    """The split whose metrics are compared: test, or validation where some run has none."""
    results = [result for setting in settings for result in setting.results]
    return "test" if results and all("test" in result["metrics"] for result in results) else "val"


VAL_LOSS = ("metrics", "val", "teacher_forced/loss")


def table(settings: Sequence[Setting]) -> TextTable:
    """One row per setting: mean ± sample standard deviation over its runs."""
    split = measured_split(settings)
    shown = [one for one in METRICS if one.compared and any(s.values("metrics", split, one.key) for s in settings)]
    leaking = any(setting.leaks() for setting in settings)
    heads = [*settings[0].label, "runs", "parameters", "val loss", *(["val leaks"] if leaking else [])]
    heads += [f"{split} {one.name.replace('_', ' ')}" for one in shown]
    heads += ["tokens/s", "training s", "TFLOP"]
    labels = len(settings[0].label)
    compared = TextTable(heads, "l" * labels + "r" * (len(heads) - labels), labels)
    for setting in settings:
        finished = len(setting.results)
        runs = str(finished) if finished == len(setting.runs) else f"{finished} of {len(setting.runs)}"
        cells = [
            _cell(setting.values("parameters"), ",.0f"),
            _cell(setting.values(*VAL_LOSS), entry_of(VAL_LOSS[-1]).form, finished),
        ]
        cells += [_cell(setting.leaks(), ".1%")] if leaking else []
        cells += [_cell(setting.values("metrics", split, one.key), one.form, finished) for one in shown]
        cells += [_cell(setting.values("training", "tokens_per_second"), ",.0f")]
        cells += [_significant(setting.values("training", "seconds"))]
        cells += [_significant([flops / 1e12 for flops in setting.values("training", "flops")])]
        compared.add(*setting.label.values(), runs, *cells)
    return compared


def _significant(values: list[float]) -> str:
    """With as many decimals as give the mean three significant figures: sizes of any order read well."""
    mean = spread(values)["mean"] if values else 0.0
    size = math.floor(math.log10(abs(mean))) if mean and math.isfinite(mean) else 0
    return _cell(values, f",.{max(0, 2 - size)}f")


def _cell(values: list[float], form: str, runs: int = 0) -> str:
    """Mean ± deviation; without the latter where all values are the same, "–" where there is none. Where only some of
    the `runs` have a value (the others diverged, for example) it says so: the mean is that of the better ones.
    """
    if not values:
        return "–"
    figures = spread(values)
    text = format(figures["mean"], form)
    text += f" ± {format(figures['sd'], form)}" if len(set(values)) > 1 else ""
    return f"{text} ({len(values)} of {runs})" if len(values) < runs else text


def markdown(settings: Sequence[Setting], unread: Sequence[str] = ()) -> str:
    """The table with what one must know to read it, the runs that failed, and those that could not be read."""
    compared = table(settings)
    lines = compared.markdown().splitlines()
    if failures := _failures(settings):
        lines += ["", "Failed:", "", *(f"- {failure}" for failure in failures)]
    if unread:
        lines += ["", "Not read:", "", *(f"- {line}" for line in unread)]
    seeds = sorted({run.seed for setting in settings for run in setting.runs if run.result}, key=natural)
    if seeds:
        environments = [result.get("environment", {}) for setting in settings for result in setting.results]
        machines = sorted({f"{one.get('device', '?')}, threads: {one.get('threads', '?')}" for one in environments})
        leaks = (
            " val leaks: validation sentences that stand in training, word for word."
            if "val leaks" in compared.heads
            else ""
        )
        lines += [
            "",
            f"Mean ± sample standard deviation over runs; seeds {', '.join(seeds)}; on {' and '.join(machines)}.{leaks}"
            " Tokens are target tokens without padding, seconds those of training without validation;"
            " TFLOP: floating-point operations of training in matrix products, about, in 10¹²."
            " All metrics: comparison.csv.",
        ]
        lines += _signatures(settings)
    return "\n".join(lines) + "\n"


def _signatures(settings: Sequence[Setting]) -> list[str]:
    """A line on how each metric of texts was computed: sacrebleu's signature, of all runs together."""
    found: dict[str, dict[str, None]] = {}
    for setting in settings:
        for result in setting.results:
            for name, signature in result.get("signatures", {}).items():
                found.setdefault(name, {})[f"`{signature}`"] = None
    kinds = [f"{name.replace('_', ' ')}: {' and '.join(own)}" for name, own in found.items()]
    return ["", f"sacrebleu's signatures of {'; '.join(kinds)}."] if kinds else []


def _failures(settings: Sequence[Setting]) -> list[str]:
    """A line a run that failed: its folder, what it was and why."""
    lines = []
    for setting in settings:
        label = [f"{name}={value}" for name, value in setting.label.items() if value]
        for run in setting.runs:
            if run.error is not None:
                seed = [f"seed={run.seed}"] if run.seed else []
                lines.append(printable(f"{', '.join([f'run {run.name}', *label, *seed])}: {run.error}"))
    return lines


def comma_separated(settings: Sequence[Setting]) -> str:
    """Everything by setting: mean and deviation of each metric of each split, sizes and times."""
    figures: dict[str, tuple[str, ...]] = {"parameters": ("parameters",)}
    for key in ("tokens", "seconds", "tokens_per_second", "flops"):
        figures[f"training/{key}"] = ("training", key)
    results = [result for setting in settings for result in setting.results]
    for split in dict.fromkeys(split for result in results for split in result["metrics"]):
        for name in dict.fromkeys(name for result in results for name in result["metrics"].get(split, {})):
            figures[f"{split}/{name}"] = ("metrics", split, name)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = [f"{name} {kind}" for name in figures for kind in ("mean", "sd")]
    writer.writerow([*settings[0].label, "runs", "failed", "seeds", *heads])
    for setting in settings:
        seeds = " ".join(run.seed for run in setting.runs if run.result)
        failed = sum(run.result is None for run in setting.runs)
        cells = [cell for path in figures.values() for cell in _mean_and_deviation(setting.values(*path))]
        writer.writerow([*setting.label.values(), len(setting.results), failed, seeds, *cells])
    return text.getvalue()


def _mean_and_deviation(values: list[float]) -> Iterable[float | str]:
    figures = spread(values) if values else {"mean": "", "sd": ""}
    return figures["mean"], figures["sd"]


def write(multirun: Path) -> tuple[list[Setting], list[str]]:
    """Writes `comparison.csv` and `comparison.md`.

    Returns:
        What is in them: the settings, and a line on each run that cannot be read.

    Raises:
        InputError: no run is there that can be read, or a link has the name of a file.
    """
    runs, unread = read_runs(multirun)
    if unread and not runs:
        raise InputError(f"{unread[0]}, and no other run is here")
    settings = _grouped(multirun, runs)
    for name, content in (("csv", comma_separated(settings)), ("md", markdown(settings, unread))):
        path = multirun / f"comparison.{name}"
        if path.is_symlink():  # which may lead out of a folder that is somebody else's
            raise InputError(f"{path}: a link, through which nothing is written; take it away first")
        write_atomically(path, content)
    return settings, unread


def show(multirun: Path) -> None:
    """Writes the files and prints the table.

    Raises:
        InputError: no run is there that can be read.
    """
    from rich.console import Console

    settings, unread = write(multirun)
    console = Console(highlight=False, markup=False)
    console.print()
    table(settings).show(console)
    console.print()
    for line in [f"failed: {failure}" for failure in _failures(settings)] + [f"not read: {line}" for line in unread]:
        console.print(line, soft_wrap=True)
    console.print(f"kept in {printable(str(multirun))}/comparison.md and comparison.csv", soft_wrap=True)


def main() -> None:
    """The command line."""
    try:
        if len(sys.argv) != 2:
            raise InputError("name one folder, that of a multirun")
        show(Path(sys.argv[1]))
    except (InputError, OSError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        sys.exit(InputError.exit_code)


if __name__ == "__main__":
    main()
