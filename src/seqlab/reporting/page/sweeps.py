"""Sweeps on the page: what pruning saved, and their plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqlab.reporting.page.figures import EMPHASISED, REST, Figure, Series, bars, line_plot
from seqlab.reporting.page.group_names import slug

COLOURS = {"COMPLETE": 3, "PRUNED": REST, "FAIL": 0, "RUNNING": 4, "WAITING": 4}
REPLAY = "replay"  # the id of the comparison of searches on recorded curves
Sweep = dict[str, Any]
"""What `runs.sweep_digest` makes of a sweep."""


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
    finished = [one for one in sweep["trials"] if one["value"] is not None]
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
    complete = [one for one in reported if one["state"] == "COMPLETE" and one["value"] is not None]
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
