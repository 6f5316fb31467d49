"""Plots of a sweep: Optuna's own where it has them, learning curves with their rungs, and the use of the slots."""

from __future__ import annotations

import bisect
import functools
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization.matplotlib import (
    plot_optimization_history,
    plot_parallel_coordinate,
    plot_param_importances,
    plot_pareto_front,
)

from hydra_pruning_sweeper.objectives import directions_of, sign_of
from hydra_pruning_sweeper.study.pausing import is_paused, pauses_of
from hydra_pruning_sweeper.trial.events import Span
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep, last_value
from hydra_pruning_sweeper.views.sweep_summary import check_no_links

COLOURS = {"COMPLETE": "tab:blue", "PRUNED": "tab:orange", "FAIL": "tab:red", "RUNNING": "tab:gray", "WAITING": "white"}
SIZE = (8.0, 4.5)  # inches
GAP = 60.0  # seconds: in a longer time without a trial no controller ran


def write_plots(sweep: RecordedSweep) -> list[Path]:
    """Writes each plot for which there is enough data; returns their paths.

    With several objectives there is a Pareto front instead of a history and of coordinates, which show what is better;
    and an importance per objective.
    """
    plots: dict[str, Callable[[RecordedSweep], Axes | None]] = {
        "history": history,
        "curves": curves,
        "importance": importance,
        "coordinates": coordinates,
        "slots": slots,
    }
    if sweep.has_several_objectives:
        places = range(len(sweep.objectives))
        each = {f"importance_{place + 1}": functools.partial(importance, place=place) for place in places}
        plots = {"pareto": pareto, "curves": curves, **each, "slots": slots}
    check_no_links(sweep.folder)
    (sweep.folder / "plots").mkdir(parents=True, exist_ok=True)
    matplotlib.use("agg")  # Optuna draws with pyplot, which would open windows where there is a display
    written = []
    for name, draw in plots.items():
        with matplotlib.rc_context(), warnings.catch_warnings():  # Optuna sets a style
            warnings.simplefilter("ignore", ExperimentalWarning)
            warnings.filterwarnings("ignore", "Attempting to set identical")  # where all trials share a value
            warnings.filterwarnings("ignore", ".*low `target` values")  # see `_cost`
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
    """Each complete trial's value, the best so far, and in orange where pruned or paused trials stopped."""
    if not _has_complete(sweep):
        return None
    axes = plot_optimization_history(_study(sweep))
    trials = sweep.trials()
    stopped = [(one.number, last_value(one)) for one in trials if one.state == TrialState.PRUNED or is_paused(one)]
    points = [(number, value) for number, value in stopped if value is not None]
    axes.scatter([number for number, _ in points], [value for _, value in points], c=COLOURS["PRUNED"], s=12)
    axes.set_title(f"{sweep.record.study}: history; orange: pruned{_or_paused(trials)}")
    return axes


def pareto(sweep: RecordedSweep) -> Axes | None:
    """Each complete trial by its values in two or three objectives; in red the Pareto trials."""
    if len(sweep.objectives) > 3 or not _has_complete(sweep):
        return None
    axes = plot_pareto_front(_study(sweep), target_names=sweep.objectives)
    axes.set_title(f"{sweep.record.study}: Pareto front")
    return axes


def _or_paused(trials: Sequence[FrozenTrial]) -> str:
    """What a title adds where trials are paused."""
    return " or paused" if any(map(is_paused, trials)) else ""


def _colour(trial: FrozenTrial) -> str:
    return COLOURS["PRUNED" if is_paused(trial) else trial.state.name]


def curves(sweep: RecordedSweep) -> Axes | None:
    """What each trial reported (the best so far), the rungs at which it may be pruned or paused, and circles where it
    was paused, full ones if it was promoted.
    """
    reported = [one for one in sweep.trials() if one.intermediate_values]
    if not reported:
        return None
    axes = Figure(figsize=SIZE, layout="constrained").subplots()
    for one in reported:
        steps = sorted(one.intermediate_values)
        values = [one.intermediate_values[step] for step in steps]
        axes.plot(steps, values, c=_colour(one), lw=1, alpha=0.7, marker="." if len(steps) == 1 else "")
    for rung in sweep.record.rungs:
        axes.axvline(rung, c="black", lw=0.5, ls=":")
    pauses = [(one, pause) for one in reported for pause in pauses_of(one) if pause.step in one.intermediate_values]
    for one, pause in pauses:
        face = _colour(one) if pause.promoted is not None else "white"
        axes.scatter(
            pause.step, one.intermediate_values[pause.step], s=20, zorder=3, edgecolors=_colour(one), facecolors=face
        )
    circles = "; circles: paused, full ones: promoted" if pauses else ""
    title = f"learning curves; orange: pruned{_or_paused(reported)}; dotted: rungs{circles}"
    axes.set(xlabel="validation", ylabel="reported" if sweep.has_several_objectives else "best so far", title=title)
    return axes


def importance(sweep: RecordedSweep, place: int = 0) -> Axes | None:
    """How much of the difference between complete trials each parameter explains alone (PED-ANOVA), in the objective at
    `place`.
    """
    if not (names := _comparable_parameters(sweep)):
        return None
    evaluator, title = PedAnovaImportanceEvaluator(), "importance among complete trials only"
    if sweep.has_several_objectives:
        name, sign = sweep.objectives[place], sign_of(directions_of(sweep.record.direction)[place])
        axes = plot_param_importances(
            _study(sweep),
            evaluator=evaluator,
            params=names,
            target=lambda trial: sign * trial.values[place],  # lower ones are better, as the evaluator expects
            target_name=name,
        )
        axes.set_title(f"{title}, for {name}")
    else:
        axes = plot_param_importances(_study(sweep), evaluator=evaluator, params=names)
        axes.set_title(f"{title}: biased, as trials that were pruned early are left out")
    return axes


def importances(sweep: RecordedSweep) -> dict[str, float]:
    """Importance of each parameter that all complete trials have; empty where there are too few, or several objectives,
    each of which has its own.
    """
    names = _comparable_parameters(sweep)
    if not names or sweep.has_several_objectives:
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
    """Which trial ran in which slot, and when, except for long times in which none did; ↑: it was promoted."""
    spans = [(one, span) for one in sweep.trials() for span in sweep.progress(one.number).spans]
    if not spans:
        return None
    axes = Figure(figsize=SIZE, layout="constrained").subplots()
    begins = starts_without_gaps([(span.start, span.end) for _, span in spans])
    for _, shown in begins[1:]:
        axes.axvline(shown, c="black", lw=0.5, ls=":")
    lanes = sorted({(span.owner, span.slot) for _, span in spans})
    for one, span in spans:
        lane = lanes.index((span.owner, span.slot))
        begin, shown = begins[bisect.bisect_right(begins, (span.start, math.inf)) - 1]
        start = span.start - begin + shown
        axes.barh(lane, span.end - span.start, left=start, color=_colour(one), edgecolor="white", height=0.8)
        promoted = "↑" if _is_after_promotion(span, one, sweep.progress(one.number).spans) else ""
        axes.text(start, lane, f" {one.number}{promoted}", fontsize=7, va="center")
    labels = [f"{owner.rpartition(':')[0]} slot {slot}" for owner, slot in lanes]
    axes.set_yticks(range(len(lanes)), labels, fontsize=8)
    axes.set(xlabel="seconds", title="use of the slots")
    return axes


def _is_after_promotion(span: Span, trial: FrozenTrial, attempts: Sequence[Span]) -> bool:
    """Whether an attempt is the first one after a promotion of the trial."""
    before = max((one.end for one in attempts if one.start < span.start), default=math.inf)
    return any(before <= (pause.promoted or 0.0) <= span.start for pause in pauses_of(trial))


def starts_without_gaps(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The moments at which trials begin to run, at first and after each gap of more than `GAP` seconds without any.

    Returns:
        Pairs of a moment and where it is drawn, which is 0 for the first, and for each other the end before its gap.
    """
    first, *later = sorted(spans)
    begins, end = [(first[0], 0.0)], first[1]
    for start, stop in later:
        if start - end > GAP:
            before, shown = begins[-1]
            begins.append((start, end - before + shown))
        end = max(end, stop)
    return begins
