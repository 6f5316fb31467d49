"""`python -m benchmarks.table tests/README.md bench.json bench_cuda.json`: writes the tables of benchmarks.

Both files are in outputs/reference/bench; that of a GPU may be missing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.reporting.readme.claims import with_results

BEGIN, END = "<!-- bench: written by `make bench` -->", "<!-- end of bench -->"


def summary(results: dict[str, Any] | None, on_gpu: dict[str, Any] | None = None) -> str:
    """README's tables: what there are aims for, and the machine; then the same of a GPU if one was measured."""
    if results is None:
        return "Nothing measured yet.\n"
    parts = [_aimed(results)]
    if on_gpu is not None:
        parts += ["On a GPU:\n", _aimed(on_gpu)]
    return "\n".join(parts)


def _aimed(results: dict[str, Any]) -> str:
    rows = [row for row in results["rows"] if row["aim"]]
    return "\n".join([_table(rows), *step_tables(rows), _machine(results["environment"]), ""])


def markdown(results: dict[str, Any]) -> str:
    """All that was measured: rates, costs, notes, and the machine."""
    rows = results["rows"]
    lines = [_table(rows), *step_tables(rows), _machine(results["environment"]), ""]
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


def step_tables(rows: list[dict[str, Any]]) -> list[str]:
    """The table of training steps on a GPU, if there are any."""
    heads = ["a training step", "textbook", "eager", "replayed", "in a run", "textbook / run", "tokens/s", "GPU busy"]
    trained = [_steps(row) for row in rows if row.get("steps")]
    return [TextTable(heads, "lrrrrrrr", rows=trained).markdown()] if trained else []


def _steps(row: dict[str, Any]) -> list[str]:
    steps = row["steps"]
    times = [f"{steps[side]:.1f} ms" for side in ("textbook", "eager", "replayed", "run")]
    name = f"`{steps['model']}`, {steps['precision']}"
    if steps["not_captured"] is not None:
        name += f" (not captured: {steps['not_captured']})"
    busy = "" if steps["busy"] is None else f"{steps['busy']:.0%}"
    return [name, *times, f"{steps['textbook'] / steps['run']:.1f} ×", f"{row['ours']['median']:,.0f}", busy]


def _machine(machine: dict[str, Any]) -> str:
    peaks = ", ".join(f"{gflops:,} GFLOP/s {name}" for name, gflops in machine["matmul_gflops"].items())
    card = f"{machine['gpu']}, CUDA {machine['cuda']}, beside " if "gpu" in machine else ""
    return (
        f"{card}{machine['processor']}, {machine['threads']} threads; products of matrices of"
        f" {machine.get('matmul_size', 1024)}: {peaks}; torch {machine['torch']}, {machine['date']}, commit"
        f" {str(machine['commit'])[:12]}. Medians; in brackets quartiles of the ratio, turn by turn. File:"
        f" `outputs/reference/bench/bench{'_cuda' if card else ''}.json`."
    )


def _quantity(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def read(path: Path) -> dict[str, Any] | None:
    """What was measured last, if anything was."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def write(readme: Path, cpu: Path, gpu: Path) -> None:
    """Writes the tables into README, and the whole ones beside the results."""
    results, on_gpu = read(cpu), read(gpu)
    tables = with_results(readme.read_text(encoding="utf-8"), summary(results, on_gpu), BEGIN, END)
    write_atomically(readme, tables)
    if results is not None:
        second = "" if on_gpu is None else f"\n## On a GPU\n\n{markdown(on_gpu)}"
        write_atomically(cpu.with_name("README.md"), f"# All benchmarks\n\n{markdown(results)}{second}")


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:4]))
