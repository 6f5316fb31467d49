"""`python -m benchmarks [NAME …]`: measures, prints the table, and keeps it if all was measured."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
import warnings
from typing import Any

import torch

from benchmarks import (
    characters,
    decoding,
    generating,
    growth,
    machine,
    overhead,
    recipes,
    reverse,
    startup,
    table,
    training,
    trial,
    workloads,
)
from benchmarks.harness import Row, isolated, say
from benchmarks.workloads import ROOT
from hydra_pruning_sweeper.atomic_files import write_atomically
from seqlab.quiet import quiet

BENCHMARKS = {
    **dict.fromkeys(training.WORK, training.measure),
    "decoding": decoding.measure,
    "generating": generating.measure,
    "shakespeare": recipes.measure,
    "characters": characters.measure,
    "reverse": reverse.measure,
    "startup": startup.measure,
    "trial": trial.measure,
    "overhead": overhead.measure,
    "growth": growth.measure,
}
RESULTS = ROOT / "outputs/reference/bench/bench.json"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench", description="How fast seqlab is beside what one would pick.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(BENCHMARKS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="a turn each: whether it runs, not how fast")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}: there are {', '.join(BENCHMARKS)}")
    torch.set_num_threads(1)  # here; see `isolated`
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    quiet()
    warnings.filterwarnings("ignore", message="enable_nested_tensor")  # torch.nn.Transformer about norms first
    if arguments.quick:
        workloads.few_rows = 8
    results = run(arguments.names or list(BENCHMARKS), arguments.quick)
    print(table.markdown(results))
    if results.pop("failed"):
        sys.exit("error: see the tracebacks above; nothing is kept")
    if arguments.names or arguments.quick:
        say("not kept: only a run of all benchmarks is")
        return
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    table.write(ROOT / "tests/README.md", RESULTS)
    say(f"kept in {RESULTS.relative_to(ROOT)} and tests/README.md")


def run(names: list[str], quick: bool) -> dict[str, Any]:
    """All that was measured: the machine, and a row for each comparison."""
    started = time.perf_counter()
    if training.HALF not in training.precisions():
        say("this processor has no bf16: rows in it are left out")
    peaks = {
        training.NAMES[precision]: isolated(machine.matmul_peak, training.TYPES[precision])
        for precision in training.precisions()
    }
    say("matrix multiply: " + ", ".join(f"{peak.median / 1e9:,.0f} GFLOP/s {name}" for name, peak in peaks.items()))
    medians = {name: peak.median for name, peak in peaks.items()}
    rows: list[Row] = []
    failed: list[str] = []
    for number, name in enumerate(names, 1):
        begun = time.perf_counter()
        say(f"{number}/{len(names)} {name}")
        try:
            own = BENCHMARKS[name](name, medians, quick)
        except Exception:  # the rest is worth having
            traceback.print_exc()
            failed.append(name)
            continue
        for row in own:
            say(f"    {_shown(row)}")
        say(f"    {time.perf_counter() - begun:.0f} s; {time.perf_counter() - started:.0f} s so far")
        rows += own
    return {
        "environment": machine.describe(peaks),
        "seconds": round(time.perf_counter() - started),
        "failed": failed,
        "rows": [row.to_json() for row in rows],
    }


def _shown(row: Row) -> str:
    ratio = "" if row.ratio is None else f": {row.ratio.median:.3g} × {row.beside}"
    met = {True: "  (met)", False: "  (missed)", None: ""}[row.met]
    aim = f", aim {row.aim}{met}" if row.aim else ""
    return f"{row.work}{ratio}, {row.ours.median:,.4g} {row.unit}{aim}"


if __name__ == "__main__":
    main()
