"""What carrying the context to every step of the decoder changes."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from hydra_pruning_sweeper.differences import ABSENT, Difference, differences, listed
from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.answers.answer import Answer, Scope, lacking, of, scopes
from seqlab.reporting.page.answers.architectures import SIZES_DIFFER
from seqlab.reporting.page.answers.evidence import between, compared, signed, unsure, untold
from seqlab.reporting.page.groups import RunGroup, named, quality, seconds_a_step
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import place
from seqlab.runs.description import CHANGED, description

SHOWN = 6  # differences in settings


def carried(material: Material) -> Answer:
    """The same model with only the decoder changed: `gru` beside `context_gru`, wherever both ran on the same data."""
    question = "What did carrying the context to every decoder step change?"
    sentences: list[str] = []
    links: list[tuple[str, str]] = []
    asked: list[RunGroup] = []
    for scope in scopes(material):
        pair = _pair(scope)
        if pair and (metric := quality(pair)):
            sentences.append(_change(material, scope, *pair, metric))
            links.append((f"table, {scope.dataset}", place(material, scope.dataset)))
            asked += pair
    if not sentences:
        return Answer(question, run="make reproduce-C")
    missing, run = lacking(material, asked)
    return Answer(question, sentences, list(dict.fromkeys(links)), run, missing)


def _pair(scope: Scope) -> tuple[RunGroup, RunGroup] | None:
    """The two that differ least; of the user's runs, if it is theirs."""
    without, carrying = ([one for one in scope.groups if one.architecture == name] for name in ("gru", "context_gru"))
    pairs = [pair for pair in product(without, carrying) if not scope.own or any(one.own for one in pair)]
    return min(pairs, key=lambda pair: len(differing(*pair)), default=None)


def _change(material: Material, scope: Scope, without: RunGroup, carrying: RunGroup, metric: str) -> str:
    names, word = named([without, carrying]), entry_of(metric).label
    change = compared(material, without, carrying, metric)
    assert change is not None  # both have the metric, on one split
    size = change.written(signed(word))
    figures = f"from {of(without, metric)} ({names[without.id]}) to {of(carrying, metric)} ({names[carrying.id]})"
    if change.shown:
        text = f"it {'raised' if change.size > 0 else 'lowered'} {word}, {figures}: {size}."
    elif change.none_shown:
        text = f"no difference in {word} is shown, {figures}: {size}."
    else:
        text = f"{word} went {figures}: {size}. {unsure(change, names[without.id], names[carrying.id])}"
    text += f" {_all_else(without, carrying)} {_time(without, carrying)} {_size(without, carrying)}"
    return f"{scope.title}: {' '.join(text.split())}"


def differing(a: RunGroup, b: RunGroup) -> list[Difference]:
    """What differs beside the architecture: in a setting, in the data, in what changed when a run was resumed.

    A setting of the model that only one of the two has belongs to its architecture; what the model came to follows from
    its settings.
    """
    one, two = _compared(a), _compared(b)
    # What an older run does not record of its data is not known to differ.
    both = (one.keys() & two.keys()) | {CHANGED}
    found = differences(*({name: part for name, part in side.items() if name in both} for side in (one, two)))
    return [
        replace(each, name=each.name.removeprefix("settings."))
        for each in found
        if not (each.name.startswith("settings.model.") and ABSENT in (each.old, each.new))
    ]


def _compared(group: RunGroup) -> dict[str, Any]:
    found = description(group.runs[0])
    found.pop("model", None)
    if isinstance(found["settings"].get("model"), dict):
        model = {name: value for name, value in found["settings"]["model"].items() if name != "_target_"}
        found["settings"] = {**found["settings"], "model": model}
    return found


def _all_else(a: RunGroup, b: RunGroup) -> str:
    if other := differing(a, b):
        return f"The two differ in {listed(other, SHOWN)}, too, so this is not the context's alone."
    return "All their other settings are the same." if a.setting("model") else ""


def _time(without: RunGroup, carrying: RunGroup) -> str:
    """What a step takes, on one machine."""
    if carrying.devices != without.devices or len(carrying.devices) > 1:
        return "They ran on different machines, so their times do not compare."
    quick, slow = without.by_seed(seconds_a_step), carrying.by_seed(seconds_a_step)
    change = between(quick, slow)
    if change is None:
        return ""
    size = change.written(lambda seconds: f"{1000 * seconds:+.3g}".replace("-", "−"), " ms")
    if change.shown:
        return f"A training step takes {'longer' if change.size > 0 else 'less time'}: {size}."
    if change.none_shown:
        return f"No difference in the time of a training step is shown: {size}."
    return f"The time of a training step differs by {size}; {untold(change)}."


def _size(without: RunGroup, carrying: RunGroup) -> str:
    more, less = carrying.figure("parameters"), without.figure("parameters")
    if not more or not less or max(more.mean, less.mean) <= SIZES_DIFFER * min(more.mean, less.mean):
        return ""
    return f"It has {more.mean / 1e6:.2g} million weights instead of {less.mean / 1e6:.2g}: size may be part of it."
