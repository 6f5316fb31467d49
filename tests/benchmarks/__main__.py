"""`python -m benchmarks [NAME …] [--device cuda]`: measures, prints the table, and keeps it if all was measured."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from typing import Any

from benchmarks import (
    characters,
    decoding,
    generating,
    gpu_training,
    growth,
    hardware,
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
GPU_BENCHMARKS = {**BENCHMARKS, **dict.fromkeys(training.WORK, gpu_training.measure)}
NOT_ON_A_GPU = {
    "characters": "the other side, Keras, is installed without support for one",
    "startup": "what it times happens before anything is on a device",
    "trial": "what it times happens before anything is on a device",
    "overhead": "each model's rows have a step in a run beside its bare replay",
    "growth": "its aims are those of a processor",
}
RESULTS = {
    "cpu": ROOT / "outputs/reference/bench/bench.json",
    "cuda": ROOT / "outputs/reference/bench/bench_cuda.json",
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench", description="How fast seqlab is beside what one would pick.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(BENCHMARKS)}; none: all")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="what is measured; default: cpu")
    parser.add_argument("--quick", action="store_true", help="a turn each: whether it runs, not how fast")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}: there are {', '.join(BENCHMARKS)}")
    workloads.prepare_process()
    if arguments.device == "cuda" and isolated(machine.gpu) is None:
        sys.exit("error: no GPU that this torch can use; DEVICE=cpu measures the processor")
    hardware.use(arguments.device)
    if arguments.quick:
        workloads.few_rows = 8
    results = run(arguments.names or list(BENCHMARKS), arguments.quick)
    print(table.markdown(results))
    if results.pop("failed"):
        sys.exit("error: see the tracebacks above; nothing is kept")
    if arguments.names or arguments.quick:
        say("not kept: only a run of all benchmarks is")
        return
    path = RESULTS[arguments.device]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    table.write(ROOT / "tests/README.md", *RESULTS.values())
    say(f"kept in {path.relative_to(ROOT)} and tests/README.md")


def run(names: list[str], quick: bool) -> dict[str, Any]:
    """All that was measured: the machine, and a row for each comparison."""
    started = time.perf_counter()
    if training.HALF not in training.precisions():
        say("this device has no bf16: rows in it are left out")
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
        if hardware.on_gpu() and name in NOT_ON_A_GPU:
            say(f"    left out on a GPU: {NOT_ON_A_GPU[name]}")
            continue
        try:
            own = (GPU_BENCHMARKS if hardware.on_gpu() else BENCHMARKS)[name](name, medians, quick)
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
