"""What a decoder gains from getting the encoder's context at every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from hydra_pruning_sweeper.differences import ABSENT, Difference, differences, listed
from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.answers.answer import (
    SHARED_MACHINE,
    Answer,
    Conclusion,
    Scope,
    metric_over_seeds,
    missing_runs,
    scopes,
)
from seqlab.reporting.page.answers.architectures import SIZES_DIFFER
from seqlab.reporting.page.answers.evidence import between, compared, single_seeds, why_not_shown
from seqlab.reporting.page.group_names import named
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.judging import quality
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import table_id
from seqlab.runs.description import CHANGED, description
from seqlab.runs.result import RunResult
from seqlab.runs.run_figures import milliseconds_a_step, parameters

SHOWN = 6  # the number of differing settings that a sentence lists
IMPLIED = {"layers": 1, "reverse_source": False, "shared": False, "mixer": "attention"}
"""What a model does that does not have these settings."""
UNTRAINED = ("also_decoding", "free_running", "cuda_graphs")
"""Settings with which a model learns nothing else."""


def carried_context(material: Material) -> Answer:
    """`gru` against `context_gru`, which differs from it in the decoder alone, wherever both ran on the same data."""
    question = "What did carrying the context to every decoder step change?"
    conclusions: list[Conclusion] = []
    links: list[tuple[str, str]] = []
    paired: list[RunGroup] = []
    for scope in scopes(material):
        pair = _pair(scope)
        if pair and (metric := quality(pair)):
            conclusions.append(_change(material, scope, *pair, metric))
            links.append((f"table, {scope.name}", table_id(material, scope.dataset)))
            paired += pair
    if not conclusions:
        return Answer(question, run="make reproduce-C")
    missing, run = missing_runs(material, paired)
    return Answer(question, conclusions, list(dict.fromkeys(links)), run, missing, limit=SHARED_MACHINE)


def _pair(scope: Scope) -> tuple[RunGroup, RunGroup] | None:
    """The two groups that differ least; at least one is the user's where the scope has groups of theirs."""
    without, carrying = ([one for one in scope.groups if one.architecture == name] for name in ("gru", "context_gru"))
    pairs = [pair for pair in product(without, carrying) if not scope.has_yours or any(one.is_users for one in pair)]
    return min(pairs, key=lambda pair: len(differing(*pair)), default=None)


def _change(material: Material, scope: Scope, without: RunGroup, carrying: RunGroup, metric: str) -> Conclusion:
    names, label = named(scope.groups), entry_of(metric).label
    change = compared(material, without, carrying, metric)
    assert change is not None  # both have the metric, on one split
    size = change.in_metric(label)
    before, after = (f"{metric_over_seeds(one, metric)} ({names[one.id]})" for one in (without, carrying))
    figures = f"from {before} to {after}"
    if change.shown:
        text = f"it {'raised' if change.size > 0 else 'lowered'} {label}, {figures}: {size}"
    elif change.none_shown:
        text = f"no difference in {label} is shown, {figures}: {size}"
    else:
        text = f"{label} went {figures}: {size}; {single_seeds(change, names[without.id], names[carrying.id])}"
    other = differing(without, carrying)
    if not other and without.setting("model"):
        text += "; all their other settings are the same"
    explained = f"The two differ in {listed(other, SHOWN)}, too, so the context alone does not explain it."
    evidence = [explained if other else "", _time(without, carrying), _size(without, carrying)]
    return Conclusion(scope.title, f"{text}.", [one for one in evidence if one], scope.has_yours)


def differing(a: RunGroup, b: RunGroup) -> list[Difference]:
    """What differs apart from the architecture: settings with which a model learns something else, data, what changed
    when a run was resumed.

    A setting of the model that only one of the two has belongs to its architecture, except those `IMPLIED`. What a run
    records of its built model follows from its settings and is left out.
    """
    one, two = _compared(a), _compared(b)
    # Older runs record less about their data: what only one side records is not known to differ.
    both = (one.keys() & two.keys()) | {CHANGED}
    changes = differences(*({name: part for name, part in side.items() if name in both} for side in (one, two)))
    return [
        replace(each, name=each.name.removeprefix("settings."))
        for each in changes
        if not (each.name.startswith("settings.model.") and ABSENT in (each.old, each.new))
    ]


def set_apart(
    pairs: Sequence[tuple[RunGroup, RunGroup]],
    names: Mapping[str, str],
    compare: Callable[[RunGroup, RunGroup], Sequence[Difference]],
    what: str,
) -> list[str]:
    """A sentence that says in which settings the two of each pair differ besides `what` is asked about; none if in
    none.
    """
    others = [
        f"{names[one.id]} and {names[other.id]} in {listed(apart, SHOWN)}"
        for one, other in pairs
        if (apart := compare(one, other))
    ]
    return [f"Other settings differ, too, so {what} alone does not explain it: {'; '.join(others)}."] if others else []


def _compared(group: RunGroup) -> dict[str, Any]:
    described = description(RunResult.of(group.runs[0]))
    described.pop("model", None)
    described["settings"] = {name: one for name, one in described["settings"].items() if name not in UNTRAINED}
    if isinstance(described["settings"].get("model"), dict):
        model = {name: value for name, value in described["settings"]["model"].items() if name != "_target_"}
        described["settings"] = {**described["settings"], "model": {**IMPLIED, **model}}
    return described


def _time(without: RunGroup, carrying: RunGroup) -> str:
    """The time of a training step, where both ran on one machine."""
    if carrying.machines != without.machines or len(carrying.machines) > 1:
        return "They ran on different machines, so their times do not compare."
    quick, slow = without.by_seed(milliseconds_a_step), carrying.by_seed(milliseconds_a_step)
    change = between(quick, slow)
    if change is None:
        return ""
    size = change.written("z.3g", " ms")
    if change.shown:
        return f"A training step takes {'longer' if change.size > 0 else 'less time'}: {size}."
    if change.none_shown:
        return f"No difference in the time of a training step is shown: {size}."
    return f"The time of a training step differs by {size}; {why_not_shown(change)}."


def _size(without: RunGroup, carrying: RunGroup) -> str:
    more, less = carrying.figure(parameters), without.figure(parameters)
    if not more or not less or max(more.mean, less.mean) <= SIZES_DIFFER * min(more.mean, less.mean):
        return ""
    return f"It has {more.mean / 1e6:.2g} million parameters instead of {less.mean / 1e6:.2g}: size may explain a part."
