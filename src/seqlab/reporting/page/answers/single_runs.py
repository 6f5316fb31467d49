"""What a setting of the user's reached that nothing stands beside, and how to train a second one to compare it with."""

from __future__ import annotations

import shlex

from seqlab.metrics.registry import BASELINES, entry_of
from seqlab.reporting.page.answers.answer import Answer, Conclusion, Scope, metric_over_seeds, scopes
from seqlab.reporting.page.group_names import named
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.judging import quality
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import table_id
from seqlab.runs.spread import Spread

ONCE = ("hydra.", "overwrite=", "resume=")
"""Beginnings of overrides that are about one run's folder, and have no part in a second run."""


def single_runs(material: Material) -> Answer:
    """The figures of the user's settings that are alone on their dataset, each with its baseline."""
    question = "What did your run reach?"
    conclusions, links = [], []
    for scope in scopes(material):
        metric = quality(scope.groups)
        if scope.has_yours and len(scope.groups) == 1 and metric is not None:
            conclusions.append(_reached(scope, metric))
            links.append((f"table, {scope.name}", table_id(material, scope.dataset)))
    return Answer(question, conclusions, list(dict.fromkeys(links)))


def _reached(scope: Scope, metric: str) -> Conclusion:
    (group,) = scope.groups
    better = "more" if entry_of(metric).more_is_better else "less"
    text = f"{named([group])[group.id]} reached {metric_over_seeds(group, metric)} as its {entry_of(metric).label} on"
    text += f" {group.split} ({better} is better)"
    if other := baseline(group, metric):
        text += f", where {other}"
    if command := second_model(group):
        text += f"; to compare it, train a second model on the same data: `{command}`"
    return Conclusion(scope.title, f"{text}.", is_users=True)


def baseline(group: RunGroup, metric: str) -> str:
    """What needs no model reaches in a metric, as a clause; "" where that was not measured."""
    form = entry_of(metric).form
    return " and ".join(f"{words} reaches {format(figure, form)}" for words, figure in _baselines(group, metric))


def unbeaten(group: RunGroup, metric: str) -> str:
    """The same of what needs no model and is at least as good as the group."""
    entry, reached = entry_of(metric), group.metric(metric)
    sign = 1 if entry.more_is_better else -1
    better = [one for one in _baselines(group, metric) if reached and sign * one[1].mean >= sign * reached.mean]
    return " and ".join(f"{words}, which reaches {format(figure, entry.form)}" for words, figure in better)


def _baselines(group: RunGroup, metric: str) -> list[tuple[str, Spread]]:
    """Each baseline that was measured, in words, with what it reaches."""
    name = entry_of(metric).name
    return [(words, figure) for kind, words in BASELINES.items() if (figure := group.metric(f"{kind}/{name}"))]


def second_model(group: RunGroup) -> str:
    """The command that trains another model like `group` on the same data; "" if that group's command is odd.

    It is of another architecture. What was made for one architecture (an experiment named after it, a language model)
    gets another cell or another number of layers instead.
    """
    try:
        program, *overrides = shlex.split(str(group.runs[0]["command"]))
    except ValueError:  # a quotation mark without a second one
        return ""
    made_for = any(one.startswith("experiment=") and group.architecture in one for one in overrides)
    if made_for or not _answers(group):
        change = _variant(group)
        replaced: tuple[str, ...] = (change.partition("=")[0] + "=",)
    else:
        change = f"model={'gru' if group.architecture == 'bahdanau' else 'bahdanau'}"
        replaced = ("model=", "model.")
    kept = [one for one in overrides if not one.startswith((*replaced, *ONCE))]
    return shlex.join([program, *kept, change])


def _answers(group: RunGroup) -> bool:
    """Whether the model answers a source; a language model continues a text."""
    return any(key.startswith("free_running/") for values in group.results[0].metrics.values() for key in values)


def _variant(group: RunGroup) -> str:
    cell, layers = group.setting("model", "cell"), group.setting("model", "layers")
    if cell in ("gru", "lstm"):
        return f"model.cell={'lstm' if cell == 'gru' else 'gru'}"
    return f"model.layers={layers // 2 if isinstance(layers, int) and layers > 1 else 2}"
