"""Answering at once, and the first step of a run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.first_step import seconds_in
from benchmarks.harness import Done, Row, Side, alternate, say
from benchmarks.recipes import places
from benchmarks.workloads import ROOT

COMMAND = ("-m", "seqlab.train")
BUNDLE = ROOT / "outputs/reference/reversal/bahdanau"
FIRST_RUN = ("experiment=reversal_bahdanau", "trainer.max_steps=1", "measure=false")


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows."""
    sides = {
        "torch": _process("-c", "import torch"),
        "--help": _process(*COMMAND, "--help"),
        "--cfg job": _process(*COMMAND, "--cfg", "job"),
    }
    timings = alternate(sides, 0.0 if quick else 12.0, warmup=1, least=1 if quick else 5)
    rows = []
    for flag in ("--help", "--cfg job"):
        seconds = timings.seconds(flag)
        rows.append(
            Row(
                benchmark=name,
                work=f"`seqlab-train {flag}`",
                beside="`import torch` alone",
                unit="s",
                ours=seconds,
                theirs=timings.seconds("torch"),
                ratio=timings.ratio(flag, "torch"),
                aim="≤ 0.6 s",
                met=seconds.median <= 0.6,
                note="`--help` of a Lightning and Hydra template took 3.3 times as long as `import torch`",
            )
        )
    rows.append(_first_prediction(name, quick))
    say("    now the first step of a run")
    steps = alternate({"first": _first_step}, 0.0, warmup=1, least=1 if quick else 5).seconds("first")
    rows.append(
        Row(
            benchmark=name,
            work="the first step of `reversal_bahdanau`, after torch and lightning are imported",
            beside="",
            unit="s",
            ours=steps,
            aim="≤ 1.5 s",
            met=steps.median <= 1.5,
            note="data made, model built, what leaks measured, loggers opened",
        )
    )
    return rows


def _first_prediction(name: str, quick: bool) -> Row:
    """From typing to the prediction of one line, all imports included."""
    say("    now the prediction of one line")
    with tempfile.TemporaryDirectory() as place:
        line = Path(place) / "line.txt"
        line.write_text("3 1 2\n", encoding="utf-8")
        sides = {
            "torch": _process("-c", "import torch"),
            "predict": _process("-m", "seqlab.predict", f"run={BUNDLE}", f"input={line}"),
        }
        timings = alternate(sides, 0.0 if quick else 12.0, warmup=1, least=1 if quick else 5)
    ratio = timings.ratio("predict", "torch")
    return Row(
        benchmark=name,
        work="`seqlab-predict` of one line with `reversal/bahdanau`, from typing to its output",
        beside="`import torch` alone",
        unit="s",
        ours=timings.seconds("predict"),
        theirs=timings.seconds("torch"),
        ratio=ratio,
        aim="≥ 1/1.5 ×",
        met=ratio.median >= 1 / 1.5,
        note="imports included",
    )


def _process(*arguments: str) -> Side:
    def run(turn: int) -> Done:
        subprocess.run([sys.executable, *arguments], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        return Done(1.0)

    return run


def _first_step(turn: int) -> Done:
    """Seconds that a process of its own took, by its own word."""
    script = Path(__file__).parent / "first_step.py"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "tests", ROOT / "src")))}
    with tempfile.TemporaryDirectory() as place:
        callback = "+callbacks.first_step._target_=benchmarks.first_step.FirstStep"
        arguments = [*FIRST_RUN, callback, *places(place), f"hydra.run.dir={place}"]
        done = subprocess.run(
            [sys.executable, str(script), *arguments], check=True, env=environment, capture_output=True, text=True
        )
    return Done(1.0, seconds_in(done.stdout))
