"""Pictures of a sweep: history, learning curves with rungs, importance, parallel coordinates, use of the slots."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep, number
from hydra_pruning_sweeper.views.sweep_summary import check_places

COLOURS = {"COMPLETE": "tab:blue", "PRUNED": "tab:orange", "FAIL": "tab:red", "RUNNING": "tab:gray", "WAITING": "white"}


def write_plots(sweep: RecordedSweep) -> list[Path]:
    """Writes the plots for which there is enough; gives their paths."""
    plots: dict[str, Callable[[RecordedSweep, Axes], bool]] = {
        "history": history,
        "curves": curves,
        "importance": importance,
        "coordinates": coordinates,
        "slots": slots,
    }
    check_places(sweep.folder)
    (sweep.folder / "plots").mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in plots.items():
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        if draw(sweep, figure.subplots()):
            path = sweep.folder / "plots" / f"{name}.png"
            figure.savefig(path, dpi=120)
            written.append(path)
    return written


def history(sweep: RecordedSweep, axes: Axes) -> bool:
    """Each trial's value, and the best complete one so far."""
    finished = [one for one in sweep.trials() if one.value is not None]
    for state in ("COMPLETE", "PRUNED"):
        some = [one for one in finished if one.state.name == state]
        values = [one.value for one in some if one.value is not None]
        axes.scatter([one.number for one in some], values, c=COLOURS[state], label=state.lower(), s=18)
    best = math.inf
    sign = _sign(sweep)
    steps: list[tuple[int, float]] = []
    for one in finished:
        if one.state == TrialState.COMPLETE and one.value is not None:
            best = min(best, sign * one.value)
            steps.append((one.number, sign * best))
    axes.step(
        [at for at, _ in steps], [value for _, value in steps], where="post", c="black", lw=1, label="best so far"
    )
    axes.set(xlabel="trial", ylabel="value", title=f"{sweep.record.study}: history")
    axes.legend()
    return bool(finished)


def curves(sweep: RecordedSweep, axes: Axes) -> bool:
    """What each trial reported (the best so far), and where pruning looked."""
    reported = [one for one in sweep.trials() if one.intermediate_values]
    for one in reported:
        steps = sorted(one.intermediate_values)
        values = [one.intermediate_values[step] for step in steps]
        axes.plot(steps, values, c=COLOURS[one.state.name], lw=1, alpha=0.7, marker="." if len(steps) == 1 else "")
    for rung in sweep.record.rungs:
        axes.axvline(rung, c="black", lw=0.5, ls=":")
    axes.set(xlabel="validation", ylabel="best so far", title="learning curves; orange: pruned; dotted: rungs")
    return bool(reported)


def importance(sweep: RecordedSweep, axes: Axes) -> bool:
    """How much of the difference between complete trials each parameter explains alone."""
    found = importances(sweep)
    if not found:
        return False
    names = list(found)[::-1]
    axes.barh(names, [found[name] for name in names], color="tab:blue")
    axes.set(
        xlabel="importance (PED-ANOVA)",
        title="importance among complete trials only:\nwhat pruning took out early is not in it, so that it is biased",
    )
    return True


def importances(sweep: RecordedSweep) -> dict[str, float]:
    """Importance of each parameter that all complete trials have; empty where there are too few."""
    import optuna

    trials = [one for one in sweep.trials() if one.state == TrialState.COMPLETE]
    shared = [name for name in sweep.parameters() if all(name in one.params for one in trials)]
    if len(trials) < 4 or not shared:
        return {}
    study = optuna.load_study(study_name=sweep.record.study, storage=sweep.store.storage)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return optuna.importance.get_param_importances(study, evaluator=evaluator, params=shared)


def coordinates(sweep: RecordedSweep, axes: Axes) -> bool:
    """A line a trial across its parameters, the darker the better."""
    names = sweep.parameters()
    finished = [one for one in sweep.trials() if one.value is not None]
    if not finished or not names:
        return False
    sign = _sign(sweep)
    ranked = sorted(finished, key=lambda one: -sign * (one.value or 0.0))
    places = {name: _places(name, finished) for name in names}
    for rank, one in enumerate(ranked):
        heights = [places[name](one.params[name]) if name in one.params else math.nan for name in names]
        shade = 0.15 + 0.85 * (rank + 1) / len(ranked)
        axes.plot(range(len(names)), heights, c=COLOURS[one.state.name], alpha=shade**2, lw=1)
    axes.set_xticks(range(len(names)), [name.replace(".", ".\n", 1) for name in names], fontsize=8)
    axes.set_yticks([])
    for x, name in enumerate(names):
        for value, height in _marks(name, finished, places[name]):
            axes.text(x, height, f" {number(value)}", fontsize=7, va="center")
    axes.set_title("parallel coordinates; orange: pruned; the darker the better")
    return True


def _places(name: str, trials: list[FrozenTrial]) -> Callable[[Any], float]:
    """Where a value stands between 0 and 1."""
    kind = next(one.distributions[name] for one in trials if name in one.distributions)
    if isinstance(kind, CategoricalDistribution):
        return lambda value: kind.choices.index(value) / max(1, len(kind.choices) - 1)
    assert isinstance(kind, FloatDistribution | IntDistribution)
    low, high, log = kind.low, kind.high, kind.log

    def place(value: Any) -> float:
        if high == low:
            return 0.5
        return math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)

    return place


def _marks(name: str, trials: list[FrozenTrial], place: Callable[[Any], float]) -> list[tuple[Any, float]]:
    kind = next(one.distributions[name] for one in trials if name in one.distributions)
    values = kind.choices if isinstance(kind, CategoricalDistribution) else (kind.low, kind.high)  # type: ignore[attr-defined]
    return [(value, place(value)) for value in values]


def slots(sweep: RecordedSweep, axes: Axes) -> bool:
    """Which slot had which trial when."""
    spans = [(one, span) for one in sweep.trials() for span in sweep.progress(one.number).spans]
    if not spans:
        return False
    begun = min(span.start for _, span in spans)
    lanes = sorted({(span.owner, span.slot) for _, span in spans})
    for one, span in spans:
        lane, start = lanes.index((span.owner, span.slot)), span.start - begun
        axes.barh(lane, span.end - span.start, left=start, color=COLOURS[one.state.name], edgecolor="white", height=0.8)
        axes.text(start, lane, f" {one.number}", fontsize=7, va="center")
    labels = [f"{owner.rpartition(':')[0]} slot {slot}" for owner, slot in lanes]
    axes.set_yticks(range(len(lanes)), labels, fontsize=8)
    axes.set(xlabel="seconds", title="use of the slots")
    return True


def _sign(sweep: RecordedSweep) -> int:
    return 1 if sweep.record.direction == "minimize" else -1
