"""The runs of a multirun side by side: `comparison.csv`, `comparison.md`, and the same table on the screen.

`python -m seqlab.reporting.comparison FOLDER` makes them anew, of a multirun that was interrupted for example.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError  # type: ignore[import-untyped]

from seqlab.errors import InputError
from seqlab.files import write_atomically
from seqlab.reporting.spread import spread
from seqlab.words import natural

RESULT = "result.json"
ERROR = "error.txt"  # what a run that failed leaves instead of a result
SHOWN = {  # metrics, and how they are written
    "teacher_forced/bits_per_byte": ".4f",
    "free_running/exact_match": ".2%",
    "free_running/token_accuracy": ".2%",
    "free_running/bleu": ".2f",
    "free_running/token_bleu": ".2f",
}
UNCOMPARED = ("seed", "resume", "overwrite")  # overrides that make no other setting


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
            if copies := [side["copies"] for side in sides if side["copies"] is not None]:
                shares.append(max(copies))
        return shares


class Comparison(Callback):
    """Hydra's callback: keeps the table up to date after every run, and prints it at the end."""

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Takes away what an earlier multirun into the same folder left of this run: it had other settings."""
        if config.hydra.mode == RunMode.MULTIRUN:
            for name in (RESULT, ERROR):
                (Path(config.hydra.runtime.output_dir) / name).unlink(missing_ok=True)

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
        InputError: no run that has finished or failed is there, or a file of one cannot be read.
    """
    found = [path.parents[1].relative_to(multirun) for path in multirun.rglob(".hydra/overrides.yaml")]
    names = sorted(found, key=lambda name: [natural(part) for part in name.parts])
    runs = [run for name in names if (run := _run(multirun, name))]
    if not runs:
        raise InputError(f"{multirun}: no runs here that have ended; expected the folder of a multirun")
    overridden = dict.fromkeys(name for run in runs for name in run.overrides)
    varied = [n for n in overridden if n not in UNCOMPARED and len({run.overrides.get(n) for run in runs}) > 1]
    groups: dict[tuple[str | None, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(run.overrides.get(name) for name in varied), []).append(run)
    if not varied:
        own = next((run.result["name"] for run in runs if run.result), "")
        return [Setting({"setting": own}, runs)]
    return [Setting({n: v or "" for n, v in zip(varied, key, strict=True)}, group) for key, group in groups.items()]


def _run(multirun: Path, name: Path) -> Run | None:
    """The run of a folder; None while it has neither ended nor failed."""
    result, error = multirun / name / RESULT, multirun / name / ERROR
    overrides_file = multirun / name / ".hydra" / "overrides.yaml"
    if not (result.is_file() or error.is_file()):
        return None
    try:
        # Unresolved: an override may hold an interpolation, which means nothing here.
        lines = OmegaConf.to_container(OmegaConf.load(overrides_file), resolve=False)
        overrides = dict(name_and_value(str(line)) for line in lines or [])
        if not result.is_file():
            return Run(str(name), overrides, None, error.read_text(encoding="utf-8").strip())
        return Run(str(name), overrides, json.loads(result.read_text(encoding="utf-8")), None)
    except (OSError, ValueError, YAMLError) as problem:
        reason = " ".join(str(problem).split())
        raise InputError(f"{multirun / name}: not the folder of a run ({reason})") from None


def name_and_value(override: str) -> tuple[str, str]:
    """`+model.width=8` as ("model.width", "8"); what was taken out (`~model.width`) is "removed"."""
    name, _, value = override.lstrip("+~").partition("=")
    return name, "removed" if override.startswith("~") else value


def measured_split(settings: Sequence[Setting]) -> str:
    """The split whose metrics are compared: test, or validation where some run has none."""
    results = [result for setting in settings for result in setting.results]
    return "test" if results and all("test" in result["metrics"] for result in results) else "val"


VAL_LOSS = ("metrics", "val", "teacher_forced/loss")


def table(settings: Sequence[Setting]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: a row a setting, mean ± sample standard deviation over its runs."""
    split = measured_split(settings)
    shown = [name for name in SHOWN if any(setting.values("metrics", split, name) for setting in settings)]
    leaking = any(setting.leaks() for setting in settings)
    heads = [*settings[0].label, "runs", "parameters", "val loss", *(["val leaks"] if leaking else [])]
    heads += [f"{split} {name.partition('/')[2].replace('_', ' ')}" for name in shown]
    heads += ["tokens/s", "training s", "TFLOP"]
    rows = []
    for setting in settings:
        finished = len(setting.results)
        runs = str(finished) if finished == len(setting.runs) else f"{finished} of {len(setting.runs)}"
        cells = [_cell(setting.values("parameters"), ",.0f"), _cell(setting.values(*VAL_LOSS), ".4f")]
        cells += [_cell(setting.leaks(), ".1%")] if leaking else []
        cells += [_cell(setting.values("metrics", split, name), SHOWN[name]) for name in shown]
        cells += [_cell(setting.values("training", "tokens_per_second"), ",.0f")]
        cells += [_significant(setting.values("training", "seconds"))]
        cells += [_significant([flops / 1e12 for flops in setting.values("training", "flops")])]
        rows.append([*setting.label.values(), runs, *cells])
    return heads, rows


def _significant(values: list[float]) -> str:
    """With as many decimals as give the mean three significant figures: sizes of any order read well."""
    mean = spread(values)["mean"] if values else 0.0
    size = math.floor(math.log10(abs(mean))) if mean and math.isfinite(mean) else 0
    return _cell(values, f",.{max(0, 2 - size)}f")


def _cell(values: list[float], form: str) -> str:
    """Mean ± deviation; without the latter where all values are the same, "–" where there is none."""
    if not values:
        return "–"
    figures = spread(values)
    mean = format(figures["mean"], form)
    return mean if len(set(values)) == 1 else f"{mean} ± {format(figures['sd'], form)}"


def markdown(settings: Sequence[Setting]) -> str:
    """The table with what one must know to read it, and the runs that failed."""
    heads, rows = table(settings)
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in (heads, *rows)]
    lines = ["| " + " | ".join(row) + " |" for row in (escaped[0], ["---"] * len(heads), *escaped[1:])]
    if failures := _failures(settings):
        lines += ["", "Failed:", "", *(f"- {failure}" for failure in failures)]
    seeds = sorted({run.seed for setting in settings for run in setting.runs if run.result}, key=natural)
    if seeds:
        environments = [result["environment"] for setting in settings for result in setting.results]
        machines = sorted({f"{one['device']}, threads: {one['threads']}" for one in environments})
        leaks = (
            " val leaks: validation sentences that stand in training, word for word." if "val leaks" in heads else ""
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
            for name, signature in result["signatures"].items():
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
                lines.append(f"{', '.join([f'run {run.name}', *label, *seed])}: {run.error}")
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


def write(multirun: Path) -> list[Setting]:
    """Writes `comparison.csv` and `comparison.md`.

    Raises:
        InputError: no run is there.
    """
    settings = settings_of(multirun)
    write_atomically(multirun / "comparison.csv", comma_separated(settings))
    write_atomically(multirun / "comparison.md", markdown(settings))
    return settings


def show(multirun: Path) -> None:
    """Writes the files and prints the table.

    Raises:
        InputError: no run is there.
    """
    from rich.console import Console

    settings = write(multirun)
    console = Console(highlight=False)
    for part in _screens(*table(settings), len(settings[0].label), console.width):
        console.print()
        console.print(part)
    console.print()
    for failure in _failures(settings):
        console.print(f"failed: {failure}", markup=False, soft_wrap=True)
    console.print(f"kept in {multirun}/comparison.md and comparison.csv", markup=False, soft_wrap=True)


def _screens(heads: list[str], rows: list[list[str]], labels: int, width: int) -> list[Any]:
    """The table as tables that are no wider than the screen; each begins with the labels, no figure is folded."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    columns = [[row[i] for row in rows] for i in range(len(heads))]
    widths = [max(map(cell_len, [*head.split(), *column])) for head, column in zip(heads, columns, strict=True)]
    room = max(8, width // (2 * labels) - 2)  # labels leave half of the screen to figures
    widths[:labels] = [min(own, room) for own in widths[:labels]]
    parts: list[list[int]] = [[]]
    for i in range(labels, len(heads)):
        if parts[-1] and sum(widths[j] + 2 for j in [*range(labels), *parts[-1], i]) - 2 > width:
            parts.append([])
        parts[-1].append(i)
    screens = []
    for part in parts:
        screen = Table(box=None, pad_edge=False, header_style="bold")
        for i in [*range(labels), *part]:
            side: Any = "left" if i < labels else "right"
            screen.add_column(Text(heads[i]), justify=side, width=widths[i], overflow="fold")
        for row in rows:
            screen.add_row(*(Text(row[i]) for i in [*range(labels), *part]))
        screens.append(screen)
    return screens


def main() -> None:
    """The command line."""
    try:
        if len(sys.argv) != 2:
            raise InputError("name one folder, that of a multirun")
        show(Path(sys.argv[1]))
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(InputError.exit_code)


if __name__ == "__main__":
    main()
