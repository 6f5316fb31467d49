"""`python -m benchmarks.gpu_check`: all that a GPU must show, in under ten minutes, as a JSON file and a table.

Each part has a time limit. One that fails is written as failed, and the rest goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks import generating, gpu_training, hardware, machine, table, training, workloads
from benchmarks.harness import Row, isolated, say
from benchmarks.training import WORK
from benchmarks.workloads import ROOT
from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.text_table import TextTable

SECONDS = 560.0
"""For all parts. The last ones get what the others have left."""
PATIENCE = 20
"""How many times as long a dry run may take."""
OUTPUT = ROOT / "outputs/gpu_check"

TIMES_TEXTBOOK = {"bahdanau": 18, "luong": 18}
BUSY, BUSY_FROM = 0.6, 3.0
"""The least share of a run's time in which kernels run, for models whose replayed step takes so many milliseconds."""
EPOCHS_SECONDS, TRIALS_SECONDS = 30, 180


class PartError(Exception):
    """A part of the check failed; the message is one line."""


@dataclass(frozen=True)
class Check:
    """Something that was aimed at, and what was measured."""

    work: str
    aim: str
    measured: str
    met: bool | None = None


@dataclass(frozen=True)
class Findings:
    """What a part found: checks, rows of the benchmarks, and facts for a reader of the file."""

    checks: list[Check]
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A part of the check.

    Attributes:
        seconds: how long it may take.
        work: called with whether this is a dry run.
    """

    name: str
    seconds: float
    work: Callable[[bool], Findings]


def training_steps(model: str, dry: bool) -> Findings:
    """Steps of a model in a run, beside replays, eager steps and the textbook, in both precisions."""
    rows = gpu_training.measure(model, {}, dry)
    return Findings([check for row in rows for check in step_checks(row)], rows)


def step_checks(row: Row) -> list[Check]:
    """What is aimed at for a step, of a row that has its times."""
    steps = row.steps
    if steps is None:
        return []
    name = f"`{steps.model}`, {steps.precision}"
    times = f"{steps.run:.1f} ms (replayed {steps.replayed:.1f}, eager {steps.eager:.1f})"
    checks = [Check(f"a step of {name}, in a run", row.aim, times, row.met)]
    least, ratio = TIMES_TEXTBOOK.get(steps.model), steps.textbook / steps.run
    if least is not None and steps.precision != training.NAMES[training.HALF]:
        checks.append(Check(f"the textbook's step / that of {name}", f"≥ {least} ×", f"{ratio:.1f} ×", ratio >= least))
    if steps.not_captured is not None:
        checks.append(Check(f"{name} is captured", "yes", steps.not_captured, False))
    if steps.busy is not None and steps.replayed > BUSY_FROM:
        busy = f"{steps.busy:.0%}"
        checks.append(Check(f"kernels' share of a step of {name}", f"≥ {BUSY:.0%}", busy, steps.busy >= BUSY))
    return checks


def ten_epochs(dry: bool) -> Findings:
    """Multi30k's Transformer from the command to `result.json`; in a dry run two epochs of the smallest experiment."""
    work = ["experiment=multi30k_transformer"]
    if dry:
        work = ["experiment=toy_gru", "trainer.max_epochs=2", "trainer.check_val_every_n_epoch=1", "cuda_graphs=true"]
    with tempfile.TemporaryDirectory() as place:
        begun = time.time()
        train(*work, hardware.trainer_group(), f"hydra.run.dir={place}/run")
        path = Path(place, "run/result.json")
        seconds = path.stat().st_mtime - begun
        result = json.loads(path.read_text(encoding="utf-8"))
    facts = {key: result.get(key) for key in ("epochs", "precision", "cuda_graphs", "training", "seconds", "metrics")}
    title = f"`{' '.join(work)}`, {result['epochs']} epochs, start to `result.json`"
    return Findings([within(title, seconds, EPOCHS_SECONDS)], facts=facts)


def trials(dry: bool) -> Findings:
    """A search over `reversal_bahdanau` on one device, in as many slots as pay."""
    count, epochs = (2, 1) if dry else (25, 20)
    few = ["data.samples=200"] if dry else []
    with tempfile.TemporaryDirectory() as place:
        begun = time.perf_counter()
        output = train(
            *("-m", "+sweeps=reversal_bahdanau", "hydra.sweeper.study=gpu_check", f"hydra.sweep.dir={place}/search"),
            *(f"hydra.sweeper.n_trials={count}", "hydra.sweeper.slots=auto", f"trainer.max_epochs={epochs}"),
            *(hardware.trainer_group(), *few),
        )
        seconds = time.perf_counter() - begun
    title = f"{count} trials of `reversal_bahdanau`, {epochs} epochs at most"
    return Findings([within(title, seconds, TRIALS_SECONDS)], facts={"output": output.splitlines()[-40:]})


def generation(dry: bool) -> Findings:
    """Tokens that the small GPT generates a second, beside Hugging Face's if it is installed."""
    rows = generating.measure("generating", {}, dry)
    checks = [
        Check(f"{row.work}, beside {row.beside}", row.aim, f"{row.ours.median:,.0f} tokens/s, {_times(row)}", row.met)
        for row in rows
    ]
    return Findings(checks, rows)


def _times(row: Row) -> str:
    return "" if row.ratio is None else f"{row.ratio.median:.1f} ×"


def gpu_tests(dry: bool) -> Findings:
    """The tests that need a GPU; in a dry run those of one file, which are skipped."""
    marked = [path for path in (ROOT / "tests").rglob("test_*.py") if "mark.gpu" in path.read_text(encoding="utf-8")]
    files = [ROOT / "tests/training/test_captured_steps.py"] if dry else marked
    several = ["-n", "4"] if find_spec("xdist") and not dry else []
    command = ["-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *several, *map(str, files)]
    done = python(*command)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode not in (0, 1) or not lines:
        raise PartError(first_error(done.stderr + done.stdout))
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    passed = done.returncode == 0 and (dry or " passed" in lines[-1])
    return Findings(
        [Check("tests that need a GPU", "all pass", lines[-1].strip("= "), passed)], facts={"failed": failed}
    )


def within(work: str, seconds: float, most: float) -> Check:
    """Whether something took few enough seconds."""
    return Check(work, f"≤ {most:g} s", f"{seconds:.1f} s", seconds <= most)


def train(*arguments: str) -> str:
    """What `seqlab-train` prints.

    Raises:
        PartError: it fails.
    """
    done = python("-m", "seqlab.train", *arguments)
    if done.returncode:
        raise PartError(first_error(done.stderr + done.stdout))
    return done.stdout


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in the project's root."""
    modules = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": modules, "SEQLAB_DATA": str(workloads.folder())}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)


def first_error(output: str) -> str:
    """The first line that says what went wrong, or the last one if none does."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    return next((line for line in lines if re.search(r"\b\w*error\b", line, re.IGNORECASE)), lines[-1])


def parts() -> list[Part]:
    """All parts, in the order of what one wants to know first."""
    steps = [Part(f"training {model}", 45.0, partial(training_steps, model)) for model in WORK]
    return [
        *steps,
        Part("ten epochs", 90.0, ten_epochs),
        Part("generating", 75.0, generation),
        Part("tests", 150.0, gpu_tests),
        Part("trials", 240.0, trials),
    ]


def limited(work: Callable[[], Any], seconds: float) -> Any:
    """Calls a function in a process of its own, which is killed with all that it started if it takes longer.

    Raises:
        PartError: it took longer, or failed.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(work, sender))
    process.start()
    sender.close()
    try:
        if not receiver.poll(seconds):
            raise PartError(f"no end after {seconds:.0f} s")
        done, answer = receiver.recv()
    except EOFError:
        process.join()
        raise PartError(f"its process ended with code {process.exitcode}") from None
    finally:
        if process.pid is not None:
            with contextlib.suppress(ProcessLookupError):  # it has not made its group yet
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.join()
    if not done:
        raise PartError(answer)
    return answer


def _answer(work: Callable[[], Any], sender: Connection) -> None:
    os.setsid()  # so that it can be killed with what it starts
    try:
        answer = (True, work())
    except PartError as error:
        answer = (False, str(error))
    except Exception as error:
        traceback.print_exc()
        answer = (False, f"{type(error).__name__}: {first_error(str(error))}")
    sender.send(answer)


def run(todo: list[Part], dry: bool, folder: Path) -> dict[str, Any]:
    """Does all parts, and writes what is known after each of them."""
    begun, results = time.perf_counter(), []
    report: dict[str, Any] = {"environment": machine.describe({}), "parts": results}
    for number, part in enumerate(todo, 1):
        left = SECONDS - (time.perf_counter() - begun)
        limit = part.seconds * PATIENCE if dry else max(0.0, min(part.seconds, left))
        say(f"{number}/{len(todo)} {part.name}, at most {limit:.0f} s")
        results.append(_done(part, dry, limit))
        report["seconds"] = round(time.perf_counter() - begun, 1)
        write_atomically(folder / "gpu_check.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        write_atomically(folder / "gpu_check.md", markdown(report))
    return report


def _done(part: Part, dry: bool, limit: float) -> dict[str, Any]:
    begun = time.perf_counter()
    result: dict[str, Any] = {"name": part.name, "error": None, "checks": [], "rows": [], "facts": {}}
    try:
        findings: Findings = limited(partial(part.work, dry), limit)
    except PartError as error:
        result["error"] = str(error)
        say(f"    failed: {error}")
    else:
        if dry:  # nothing is as large as what is aimed at
            findings = replace(findings, checks=[replace(check, met=None) for check in findings.checks])
        result |= asdict(findings)
        for check in findings.checks:
            say(f"    {check.work}: {check.measured}{', aim ' if check.aim else ''}{check.aim}{_sign(check.met)}")
    return {**result, "seconds": round(time.perf_counter() - begun, 1)}


def _sign(met: bool | None) -> str:
    return {True: " ✓", False: " ✗", None: ""}[met]


def markdown(report: dict[str, Any]) -> str:
    """Aims beside what was measured, the steps, and what failed."""
    known = report["environment"]
    where = f"{known.get('gpu', 'no GPU: a dry run')}, {known['processor']}, {known['threads']} threads, torch"
    lines = [
        "# What a GPU showed\n",
        f"{where} {known['torch']}, {known['date']}, commit {str(known['commit'])[:12]}.\n",
    ]
    shown = TextTable(["what", "aim", "measured"], "lrr")
    for part in report["parts"]:
        for check in part["checks"]:
            shown.add(check["work"], check["aim"] + _sign(check["met"]), check["measured"])
    lines += [shown.markdown(), *table.step_tables([row for part in report["parts"] for row in part["rows"]])]
    failed = [part for part in report["parts"] if part["error"] is not None]
    lines += [f"- failed: {part['name']}, after {part['seconds']:g} s: {part['error']}" for part in failed]
    return "\n".join([*lines, *([""] if failed else []), f"{report['seconds']:g} s in all.\n"])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_check", description="All that a GPU must show.")
    parser.add_argument("--dry-run", action="store_true", help="on the processor, as small as it goes: does it run?")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FOLDER", help="of gpu_check.json and .md")
    arguments = parser.parse_args()
    workloads.prepare_process()
    if arguments.dry_run:
        workloads.few_rows = 2
    elif isolated(machine.gpu) is None:
        print("error: no GPU that this torch can use; --dry-run tries all parts on the processor", file=sys.stderr)
        sys.exit(2)
    else:
        hardware.use("cuda")
    training.precisions()
    for work in WORK.values():
        work.pairs()  # read here, once for all parts
    arguments.output.mkdir(parents=True, exist_ok=True)
    report = run(parts(), arguments.dry_run, arguments.output)
    print(markdown(report))
    say(f"kept in {arguments.output}")
    sys.exit(any(part["error"] is not None for part in report["parts"]))


if __name__ == "__main__":
    main()
