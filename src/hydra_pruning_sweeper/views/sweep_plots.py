"""Plots of a sweep: Optuna's own where it has them, learning curves with their rungs, and the use of the slots."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import TrialState
from optuna.visualization.matplotlib import (
    plot_optimization_history,
    plot_parallel_coordinate,
    plot_param_importances,
)

from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep
from hydra_pruning_sweeper.views.sweep_summary import check_no_links

COLOURS = {"COMPLETE": "tab:blue", "PRUNED": "tab:orange", "FAIL": "tab:red", "RUNNING": "tab:gray", "WAITING": "white"}
SIZE = (8.0, 4.5)  # inches


def write_plots(sweep: RecordedSweep) -> list[Path]:
    """Writes each plot for which there is enough data; returns their paths."""
    plots: dict[str, Callable[[RecordedSweep], Axes | None]] = {
        "history": history,
        "curves": curves,
        "importance": importance,
        "coordinates": coordinates,
        "slots": slots,
    }
    check_no_links(sweep.folder)
    (sweep.folder / "plots").mkdir(parents=True, exist_ok=True)
    matplotlib.use("agg")  # Optuna draws with pyplot, which would open windows where there is a display
    written = []
    for name, draw in plots.items():
        with matplotlib.rc_context(), warnings.catch_warnings():  # Optuna sets a style
            warnings.simplefilter("ignore", ExperimentalWarning)
            warnings.filterwarnings("ignore", "Attempting to set identical")  # where all trials share a value
            axes = draw(sweep)
        if axes is not None:
            path = sweep.folder / "plots" / f"{name}.png"
            figure = axes.get_figure(root=True)
            assert figure is not None
            figure.savefig(path, dpi=120, bbox_inches="tight")
            written.append(path)
    matplotlib.pyplot.close("all")
    return written


def _study(sweep: RecordedSweep) -> optuna.Study:
    return optuna.load_study(study_name=sweep.record.study, storage=sweep.store.storage)


def _has_complete(sweep: RecordedSweep) -> bool:
    return any(one.state == TrialState.COMPLETE for one in sweep.trials())


def history(sweep: RecordedSweep) -> Axes | None:
    """Each complete trial's value, the best so far, and in orange where pruned trials stopped."""
    if not _has_complete(sweep):
        return None
    axes = plot_optimization_history(_study(sweep))
    pruned = [one for one in sweep.trials() if one.state == TrialState.PRUNED and one.value is not None]
    axes.scatter([one.number for one in pruned], [one.value or 0.0 for one in pruned], c=COLOURS["PRUNED"], s=12)
    axes.set_title(f"{sweep.record.study}: history; orange: pruned")
    return axes


def curves(sweep: RecordedSweep) -> Axes | None:
    """What each trial reported (the best so far), and the rungs at which it may be pruned."""
    reported = [one for one in sweep.trials() if one.intermediate_values]
    if not reported:
        return None
    axes = Figure(figsize=SIZE, layout="constrained").subplots()
    for one in reported:
        steps = sorted(one.intermediate_values)
        values = [one.intermediate_values[step] for step in steps]
        axes.plot(steps, values, c=COLOURS[one.state.name], lw=1, alpha=0.7, marker="." if len(steps) == 1 else "")
    for rung in sweep.record.rungs:
        axes.axvline(rung, c="black", lw=0.5, ls=":")
    axes.set(xlabel="validation", ylabel="best so far", title="learning curves; orange: pruned; dotted: rungs")
    return axes


def importance(sweep: RecordedSweep) -> Axes | None:
    """How much of the difference between complete trials each parameter explains alone (PED-ANOVA)."""
    if not (names := _comparable_parameters(sweep)):
        return None
    axes = plot_param_importances(_study(sweep), evaluator=PedAnovaImportanceEvaluator(), params=names)
    axes.set_title("importance among complete trials only: biased, as trials that were pruned early are left out")
    return axes


def importances(sweep: RecordedSweep) -> dict[str, float]:
    """Importance of each parameter that all complete trials have; empty where there are too few."""
    if not (names := _comparable_parameters(sweep)):
        return {}
    evaluator = PedAnovaImportanceEvaluator()
    return optuna.importance.get_param_importances(_study(sweep), evaluator=evaluator, params=names)


def _comparable_parameters(sweep: RecordedSweep) -> list[str]:
    """The parameters that every complete trial has; none where there are too few such trials to compare."""
    trials = [one for one in sweep.trials() if one.state == TrialState.COMPLETE]
    if len(trials) < 4:
        return []
    return [name for name in sweep.parameters() if all(name in one.params for one in trials)]


def coordinates(sweep: RecordedSweep) -> Axes | None:
    """A line per complete trial across its parameters, the darker the better."""
    return plot_parallel_coordinate(_study(sweep)) if _has_complete(sweep) else None


def slots(sweep: RecordedSweep) -> Axes | None:
    """Which trial ran in which slot, and when."""
    spans = [(one, span) for one in sweep.trials() for span in sweep.progress(one.number).spans]
    if not spans:
        return None
    axes = Figure(figsize=SIZE, layout="constrained").subplots()
    begin = min(span.start for _, span in spans)
    lanes = sorted({(span.owner, span.slot) for _, span in spans})
    for one, span in spans:
        lane, start = lanes.index((span.owner, span.slot)), span.start - begin
        axes.barh(lane, span.end - span.start, left=start, color=COLOURS[one.state.name], edgecolor="white", height=0.8)
        axes.text(start, lane, f" {one.number}", fontsize=7, va="center")
    labels = [f"{owner.rpartition(':')[0]} slot {slot}" for owner, slot in lanes]
    axes.set_yticks(range(len(lanes)), labels, fontsize=8)
    axes.set(xlabel="seconds", title="use of the slots")
    return axes
