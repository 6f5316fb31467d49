"""The runs of a multirun side by side: `comparison.csv`, `comparison.md`, and the same table on the screen.

`python -m seqlab.reporting.comparison FOLDER` makes them anew, of a multirun that was interrupted for example.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from seqlab.errors import InputError
from seqlab.files import write_atomically
from seqlab.reporting.reference import spread

ERROR = "error.txt"  # what a run that failed leaves instead of a result
SHOWN = ("free_running/exact_match", "free_running/token_accuracy", "free_running/bleu", "free_running/token_bleu")
PERCENT = ("exact_match", "token_accuracy")


@dataclass(frozen=True)
class Run:
    """One run: what was overridden for it, and its result or how it failed."""

    overrides: dict[str, str]
    result: dict[str, Any] | None
    error: str | None

    @property
    def seed(self) -> str:
        """The seed as it was typed; of a run that failed there is no other word on it."""
        return str(self.result["seed"]) if self.result else self.overrides.get("seed", "")


@dataclass(frozen=True)
class Setting:
    """Runs that differ in nothing but their seed."""

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


class Comparison(Callback):
    """Hydra's callback: keeps the table up to date after every run, and prints it at the end."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Writes the table of the runs so far; a multirun that is stopped leaves it behind."""
        if config.hydra.mode == RunMode.MULTIRUN:
            write(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Prints it."""
        show(Path(config.hydra.sweep.dir))


def settings_of(multirun: Path) -> list[Setting]:
    """The runs below `multirun`, those of one setting together, in the order of the first of each.

    Raises:
        InputError: no run that has finished or failed is there.
    """
    folders = sorted(multirun.glob("*/.hydra/overrides.yaml"), key=lambda path: _natural(path.parents[1].name))
    runs = [run for path in folders if (run := _run(path.parents[1]))]
    if not runs:
        raise InputError(f"{multirun}: no runs here; expected the folder of a multirun")
    names = list(dict.fromkeys(name for run in runs for name in run.overrides))
    varied = [n for n in names if n != "seed" and len({run.overrides.get(n) for run in runs}) > 1]
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(run.overrides.get(name, "") for name in varied), []).append(run)
    return [Setting(dict(zip(varied, label, strict=True)), group) for label, group in groups.items()]


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdigit() else (sys.maxsize, name)


def _run(folder: Path) -> Run | None:
    """The run of a folder; None while it has neither ended nor failed."""
    result, error = folder / "result.json", folder / ERROR
    if not (result.is_file() or error.is_file()):
        return None
    lines = [str(line) for line in OmegaConf.load(folder / ".hydra" / "overrides.yaml")]
    overrides = dict(line.lstrip("+~").partition("=")[::2] for line in lines)
    if result.is_file():
        return Run(overrides, json.loads(result.read_text(encoding="utf-8")), None)
    return Run(overrides, None, error.read_text(encoding="utf-8").strip())


def measured_split(settings: Sequence[Setting]) -> str:
    """The split whose metrics are compared: test, or validation where some run has none."""
    results = [result for setting in settings for result in setting.results]
    return "test" if results and all("test" in result["metrics"] for result in results) else "val"


def table(settings: Sequence[Setting]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: a row a setting, mean ± sample standard deviation over its runs."""
    split = measured_split(settings)
    shown = [name for name in SHOWN if any(setting.values("metrics", split, name) for setting in settings)]
    names = list(settings[0].label)
    heads = [*(names or ["setting"]), "runs", "parameters", "val loss"]
    heads += [f"{split} {name.partition('/')[2].replace('_', ' ')}" for name in shown]
    heads += ["tokens/s", "training s", "TFLOP"]
    rows = []
    for setting in settings:
        label = [setting.label[name] for name in names] or [str(setting.results[0]["name"] if setting.results else "")]
        finished = len(setting.results)
        runs = str(finished) if finished == len(setting.runs) else f"{finished} of {len(setting.runs)}"
        cells = [_cell(setting.values("parameters"), ",.0f"), _cell(setting.values(*VAL_LOSS), ".4f")]
        cells += [_metric(name, setting.values("metrics", split, name)) for name in shown]
        cells += [_cell(setting.values("training", "tokens_per_second"), ",.0f")]
        cells += [_cell(setting.values("training", "seconds"), ",.1f")]
        cells += [_cell([flops / 1e12 for flops in setting.values("training", "flops")], ",.3g")]
        rows.append([*label, runs, *cells])
    return heads, rows


VAL_LOSS = ("metrics", "val", "teacher_forced/loss")


def _metric(name: str, values: list[float]) -> str:
    percent = name.rpartition("/")[2] in PERCENT
    return _cell(values, ".2%" if percent else ".2f")


def _cell(values: list[float], form: str) -> str:
    """Mean ± deviation; without the latter where all values are the same, "–" where there is none."""
    if not values:
        return "–"
    figures = spread(values)
    mean = format(figures["mean"], form)
    return mean if len(set(values)) == 1 else f"{mean} ± {format(figures['sd'], form)}"


def markdown(multirun: Path, settings: Sequence[Setting]) -> str:
    """The table with what one must know to read it, and the runs that failed."""
    heads, rows = table(settings)
    lines = ["| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *rows)]
    failures = [f"- {_failure(setting, run)}" for setting in settings for run in setting.runs if run.error]
    if failures:
        lines += ["", "Failed:", "", *failures]
    results = [result for setting in settings for result in setting.results]
    threads = sorted({str(result["environment"]["threads"]) for result in results})
    seeds = sorted({run.seed for setting in settings for run in setting.runs}, key=_natural)
    lines += [
        "",
        f"Mean ± sample standard deviation over seeds {', '.join(seeds)}. Tokens are target tokens without padding;"
        f" TFLOP is the training compute of all matrix products, about; {' or '.join(threads) or '–'} threads."
        f" All metrics: comparison.csv.",
    ]
    return "\n".join(lines) + "\n"


def _failure(setting: Setting, run: Run) -> str:
    label = ", ".join([*(f"{name}={value}" for name, value in setting.label.items()), f"seed {run.seed or '?'}"])
    return f"{label}: {run.error}"


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
    write_atomically(multirun / "comparison.md", markdown(multirun, settings))
    return settings


def show(multirun: Path) -> None:
    """Writes the files and prints the table."""
    from rich.console import Console
    from rich.table import Table

    settings = write(multirun)
    heads, rows = table(settings)
    screen = Table(box=None, pad_edge=False, header_style="bold")
    for i, head in enumerate(heads):
        screen.add_column(head, justify="left" if i < max(1, len(settings[0].label)) else "right")
    for row in rows:
        screen.add_row(*row)
    console = Console(highlight=False)
    console.print()
    console.print(screen)
    for setting in settings:
        for run in setting.runs:
            if run.error:
                console.print(f"failed: {_failure(setting, run)}", markup=False, soft_wrap=True)
    print(f"kept in {multirun}/comparison.md and comparison.csv", flush=True)


def main() -> None:
    """The command line."""
    try:
        show(Path(sys.argv[1]))
    except (IndexError, InputError) as error:
        print(f"error: {error if isinstance(error, InputError) else 'name a multirun folder'}", file=sys.stderr)
        sys.exit(InputError.exit_code)


if __name__ == "__main__":
    main()
