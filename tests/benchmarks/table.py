"""`python -m benchmarks.table tests/README.md outputs/reference/bench/bench.json`: writes the tables of benchmarks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.reporting.readme.claims import with_results

BEGIN, END = "<!-- bench: written by `make bench` -->", "<!-- end of bench -->"


def summary(results: dict[str, Any] | None) -> str:
    """README's table: what there are aims for, and the machine."""
    if results is None:
        return "Nothing measured yet.\n"
    rows = [row for row in results["rows"] if row["aim"]]
    return f"{_table(rows)}\n{_machine(results['environment'])}\n"


def markdown(results: dict[str, Any]) -> str:
    """All that was measured: rates, costs, notes, and the machine."""
    lines = [_table(results["rows"]), _machine(results["environment"]), ""]
    costs = [row for row in results["rows"] if row["memory"] is not None]
    if costs:
        heads = ["of these", "beside", "memory, ours and theirs", "share of the matrix-multiply peak"]
        lines += [TextTable(heads, "llrr", rows=map(_cost, costs)).markdown()]
    notes = dict.fromkeys(f"- {row['benchmark']}: {row['note']}" for row in results["rows"] if row["note"])
    return "\n".join([*lines, *notes, *([""] if notes else [])])


def _table(rows: list[dict[str, Any]]) -> str:
    heads = ["work", "beside", "theirs", "ours", "ratio", "aim"]
    return TextTable(heads, "llrrrr", rows=map(_line, rows)).markdown()


def _line(row: dict[str, Any]) -> list[str]:
    theirs = "" if row["theirs"] is None else _quantity(row["theirs"]["median"], row["unit"])
    ratio = row["ratio"]
    shown = "" if ratio is None else f"{ratio['median']:.3g} × ({ratio['low']:.3g}–{ratio['high']:.3g})"
    aim = row["aim"] + {True: " ✓", False: " ✗", None: ""}[row["met"]]
    ours = _quantity(row["ours"]["median"], row["unit"])
    return [row["work"], row["beside"], theirs, ours, shown, aim]


def _cost(row: dict[str, Any]) -> list[str]:
    ours, theirs = row["memory"]
    share = "" if row["peak_share"] is None else f"{row['peak_share']:.0%}"
    return [row["work"], row["beside"], f"{ours:,.0f} and {theirs:,.0f} MiB", share]


def _machine(machine: dict[str, Any]) -> str:
    peaks = ", ".join(f"{gflops:,} GFLOP/s {name}" for name, gflops in machine["matmul_gflops"].items())
    return (
        f"{machine['processor']}, {machine['threads']} threads; products of matrices of 1024: {peaks};"
        f" torch {machine['torch']}, {machine['date']}, commit {str(machine['commit'])[:12]}. Medians; in brackets"
        " quartiles of the ratio, turn by turn. File: `outputs/reference/bench/bench.json`."
    )


def _quantity(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def read(path: Path) -> dict[str, Any] | None:
    """What was measured last, if anything was."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def write(readme: Path, path: Path) -> None:
    """Writes the table into README, and the whole one beside the results."""
    results = read(path)
    table = with_results(readme.read_text(encoding="utf-8"), summary(results), BEGIN, END)
    write_atomically(readme, table)
    if results is not None:
        write_atomically(path.with_name("README.md"), f"# All benchmarks\n\n{markdown(results)}")


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:3]))
