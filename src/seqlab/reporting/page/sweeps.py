"""Sweeps: the results of one as a small digest, and its plots.

`python -m seqlab.reporting.page.sweeps FOLDER outputs/reference/sweeps/NAME.json` keeps a digest as a reference; for a
study in a database, give its address as a third argument.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import plural, printable
from hydra_pruning_sweeper.objectives import directions_of
from seqlab.errors import InputError
from seqlab.reporting.page.figures import EMPHASISED, REST, Figure, Series, bars, line_plot
from seqlab.reporting.page.group_names import slug
from seqlab.runs.json_checks import UnfitError
from seqlab.runs.schemas import SWEEP
from seqlab.version import __version__

COLOURS = {"COMPLETE": 3, "PRUNED": REST, "FAIL": 0, "RUNNING": 4, "WAITING": 4}
REPLAY = "replay"  # the id of the comparison of searches on recorded curves
Sweep = dict[str, Any]


def digest_sweep(folder: Path, storage: str | None = None) -> Sweep:
    """A sweep's settings, its trials with the values they reported, and the importance of its parameters.

    The folder may come from somebody else: only the journal in it is read, or the `storage` that the user names.

    Raises:
        InputError: the folder holds no sweep, or it cannot be read.
    """
    from hydra_pruning_sweeper.study.pausing import pauses_of
    from hydra_pruning_sweeper.study.shared_study import BASELINE
    from hydra_pruning_sweeper.study.storage import JOURNAL
    from hydra_pruning_sweeper.views.recorded_sweep import open_sweep
    from hydra_pruning_sweeper.views.sweep_plots import importances

    journal = folder / JOURNAL
    if storage is None and (journal.is_symlink() or not journal.is_file()):
        # The record of somebody else's sweep could name any file.
        raise InputError(f"{folder}: no {JOURNAL} here, and a storage elsewhere is opened only where it is named")
    sweep = open_sweep(folder, storage or str(journal))
    record, best = sweep.record, [one.number for one in sweep.best_trials()]
    several = sweep.has_several_objectives
    program = Path(record.program)
    name = "seqlab-train" if program.name in ("train.py", "seqlab-train") else program.name
    study = [f"hydra.sweeper.study={record.study}", f"hydra.sweeper.n_trials={record.trials}"]
    trials = [
        {
            "number": one.number,
            "state": one.state.name,
            "value": None if several else _finite(one.value),
            **({"values": one.values or []} if several else {}),
            "steps": one.last_step or 0,
            "seconds": one.duration.total_seconds() if one.duration else None,
            "parameters": {name: _shown(value) for name, value in one.params.items()},
            "reported": {
                str(step): value
                for step, value in sorted(one.intermediate_values.items())
                if _finite(value) is not None
            },
            "baseline": bool(one.user_attrs.get(BASELINE)),
            "pauses": [{"step": pause.step, "promoted": pause.promoted is not None} for pause in pauses_of(one)],
        }
        for one in sweep.trials()
    ]
    content = {
        "study": record.study,
        "folder": str(folder),
        "command": shlex.join([name, "-m", *record.flags, *record.fixed, *study]),
        "direction": ", ".join(directions_of(record.direction)),
        "rungs": record.rungs,
        "best": best[0] if best and not several else None,
        "parameters": sweep.parameters(),
        "importance": importances(sweep),
        "trials": trials,
        **({"objectives": record.direction, "pareto": best} if several else {}),
    }
    try:
        SWEEP(content)
    except UnfitError as problem:
        raise InputError(f"{folder}: no study as a sweep leaves it ({problem})") from None
    return content


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _shown(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def saved(sweep: Sweep) -> tuple[int, int]:
    """The number of validations that were run, and the number if every pruned trial had run as long as the longest."""
    ended = [one for one in sweep["trials"] if one["state"] in ("COMPLETE", "PRUNED")]
    run = sum(one["steps"] for one in ended)
    longest = max((one["steps"] for one in ended), default=0)
    return run, sum(longest if one["state"] == "PRUNED" else one["steps"] for one in ended)


def pauses(one: dict[str, Any]) -> str:
    """Where a trial was paused, and whether it was promoted from there."""
    return ", ".join(f"after {at['step']}{', promoted' if at['promoted'] else ''}" for at in one.get("pauses", ()))


def trial(sweep: Sweep, number: int | None) -> dict[str, Any] | None:
    """The trial with that number; None if there is none."""
    return next((one for one in sweep["trials"] if one["number"] == number), None)


def baseline(sweep: Sweep) -> dict[str, Any] | None:
    """The trial of the configuration that the search began with, if it has a value."""
    return next((one for one in sweep["trials"] if one["baseline"] and one["value"] is not None), None)


def figures(sweep: Sweep) -> list[Figure]:
    """History, curves with rungs, importance: those for which there is enough data."""
    study = slug(sweep["study"])
    finished = [one for one in sweep["trials"] if one["value"] is not None and math.isfinite(one["value"])]
    reported = [one for one in sweep["trials"] if one["reported"]]
    plots = []
    if finished:
        series = _history(sweep, finished)
        plots.append(
            line_plot(f"history-{study}", "History", "trial", "value", series, note="A point per trial.", whole=True)
        )
    if any(len(one["reported"]) > 1 for one in reported):
        plots.append(_curves(sweep, reported))
    if sweep["importance"]:
        note = "Among complete trials only (PED-ANOVA): it leaves out pruned trials, so it is biased."
        plots.append(bars(f"importance-{study}", "Importance", "importance", list(sweep["importance"].items()), note))
    return plots


def _about_rungs(rungs: Sequence[int], pauses: bool) -> str:
    """A sentence on what happens at the rungs of a search; "" if it has none."""
    if not rungs:
        return ""
    where = f" Dotted: rungs (after {', '.join(map(str, rungs))} validations)"
    if not pauses:
        return f"{where}, where a trial is stopped if earlier ones were better there."
    return f"{where}, where a trial is paused unless it is among the best there, and promoted as soon as it is."


def _curves(sweep: Sweep, reported: list[dict[str, Any]]) -> Figure:
    rungs = sweep["rungs"]
    several = "pareto" in sweep
    complete = [one for one in reported if one["state"] == "COMPLETE" and _finite(one["value"]) is not None]
    complete.sort(key=lambda one: one["value"], reverse=sweep["direction"] != "minimize")
    best = sweep["pareto"] if several else [one["number"] for one in complete[:EMPHASISED]]
    value, named = ("what it reported", "Pareto trials") if several else ("its best value so far", f"best {len(best)}")
    note = f"A line per trial: {value}.{_about_rungs(rungs, any(one.get('pauses') for one in sweep['trials']))}"
    series = [
        Series(
            f"trial {one['number']}",
            COLOURS["COMPLETE"] if one["number"] in best else REST,
            [(float(step), value) for step, value in one["reported"].items()],
            kind=named if one["number"] in best else "others" if several else "others, most of them pruned",
        )
        for one in reported
    ]
    marks = [(float(rung), "") for rung in rungs]
    return line_plot(
        f"curves-{slug(sweep['study'])}",
        "Curves",
        "validation",
        "reported" if several else "best so far",
        series,
        note=note,
        marks=marks,
        whole=True,
    )


def _history(sweep: Sweep, finished: list[dict[str, Any]]) -> list[Series]:
    series = [
        Series(state.lower(), COLOURS[state], [(one["number"], one["value"]) for one in some], joined=False)
        for state in ("COMPLETE", "PRUNED")
        if (some := [one for one in finished if one["state"] == state])
    ]
    better = min if sweep["direction"] == "minimize" else max
    so_far: list[tuple[float, float]] = []
    for one in finished:
        if one["state"] == "COMPLETE":
            before = [so_far[-1][1]] if so_far else []
            so_far.append((one["number"], better([*before, one["value"]])))
    return [*series, Series("best so far", 2, so_far, steps=True)]


def main() -> None:
    """The command line."""
    from seqlab.code_hash import code
    from seqlab.training.provenance import commit

    try:
        if len(sys.argv) not in (3, 4):
            raise InputError("must be given a sweep's folder, a file to write and, of a database, its address")
        content = digest_sweep(Path(sys.argv[1]), *sys.argv[3:]) | {
            "seqlab": __version__,
            "commit": commit(),
            "code": code(),
        }
    except UsageError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    write_atomically(Path(sys.argv[2]), json.dumps(content, indent=1) + "\n")
    print(printable(f"{plural(len(content['trials']), 'trial')} of {content['study']} kept in {sys.argv[2]}"))


if __name__ == "__main__":
    main()
