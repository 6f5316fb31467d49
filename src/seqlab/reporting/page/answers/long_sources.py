"""Where a source that passes through one vector is too long for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seqlab.reporting.claims.figures import slope_by_length
from seqlab.reporting.page.answers.answer import Answer, lacking, listed, mean
from seqlab.reporting.page.groups import Group, by_dataset, named, spread_of
from seqlab.reporting.page.plots import BY_LENGTH, buckets, length_metric, lengths, lengths_of, slug, trained_to
from seqlab.reporting.page.sources import Material

FIXED = ("gru", "lstm", "context_gru")  # the source passes through one vector
MOST = 0.9  # the share of outputs that must be right for a length to be mastered


@dataclass(frozen=True)
class Fall:
    """How length tells on one dataset: in words, and on which of those with a fixed vector more than on attention."""

    dataset: str
    figures: str
    worse: list[str]
    fixed: Sequence[Group]

    @property
    def verdict(self) -> str:
        """Whether length costs those with a fixed vector more."""
        if len(self.worse) == len(self.fixed):
            return "Length costs every model with a fixed vector more than the one with attention."
        if self.worse:
            return f"Length costs only {listed(self.worse)} more than the one with attention."
        return "Length costs none with a fixed vector more than the one with attention: no effect here."


def fixed_vector(material: Material) -> Answer:
    """Claim C (b): quality by the source's length, beside a model with attention."""
    question = "Where does the single fixed vector fail?"
    falls = []
    for some in by_dataset([one for one in material.groups if lengths(one) and not one.own]).values():
        attention = next((one for one in some if one.architecture == "bahdanau"), None)
        fixed = [one for one in some if one.architecture in FIXED]
        metric = length_metric([*fixed, attention]) if attention else None
        if attention and fixed and metric and len(buckets([*fixed, attention])) > 1:
            falls.append((_bleu if metric == "bleu" else _mastered)(fixed, attention, metric))
    if not falls:
        return Answer(question, run="make reproduce-C")
    verdicts = {one.verdict for one in falls}
    if len(verdicts) == 1:
        where = "On long sources. " if falls[0].worse else ""
        sentences = [where + verdicts.pop(), *(one.figures for one in falls)]
    else:
        sentences = [f"{one.figures} {one.verdict}" for one in falls]
    links = [(one.dataset, f"length-{slug(one.dataset)}") for one in falls]
    missing, run = lacking(material, [group for one in falls for group in one.fixed])
    return Answer(question, sentences, links, run, missing)


def _bleu(fixed: Sequence[Group], attention: Group, metric: str) -> Fall:
    """What is left at the longest sources, and what a token more costs."""
    groups = [*fixed, attention]
    names, end = named(groups), buckets(groups)[-1]
    slopes = {one.id: _slope(one) for one in groups}
    text = f"{attention.dataset}, {BY_LENGTH[metric]} of sources of {end} tokens, and its change with each token more:"
    changes = {key: f"{slope:+.1%}".replace("-", "−") for key, slope in slopes.items()}
    parts = [f"{names[one.id]} {_at(one, metric, end):.1f} ({changes[one.id]})" for one in groups]
    text += f" {', '.join(parts[:-1])}; with attention, {parts[-1]}."
    worse = [names[one.id] for one in fixed if slopes[one.id] < slopes[attention.id]]
    return Fall(attention.dataset, text, worse, fixed)


def _mastered(fixed: Sequence[Group], attention: Group, metric: str) -> Fall:
    """Up to which length nearly all is right, and whether anything is at the end."""
    groups = [*fixed, attention]
    names, labels = named(groups), buckets(groups)
    reach = {one.id: _reach(one, metric, labels) for one in groups}
    parts = [f"{names[one.id]} {labels[reach[one.id]] if reach[one.id] >= 0 else 'none'}" for one in groups]
    text = f"{attention.dataset}, longest source up to which {BY_LENGTH[metric]} is at least {MOST:.0%}:"
    text += f" {', '.join(parts[:-1])}; with attention, {parts[-1]}."
    trained = trained_to(attention)
    if trained and all(_at(one, metric, labels[-1]) < 1 - MOST for one in groups):
        text += f" Training ended at {trained}; at {labels[-1]} all of them fail."
    worse = [names[one.id] for one in fixed if reach[one.id] < reach[attention.id]]
    return Fall(attention.dataset, text, worse, fixed)


def _slope(group: Group) -> float:
    """Of quality over length, as claim C has it: as a share of the mean quality; NaN where there is none."""
    return mean(spread_of([slope for run in group.runs if (slope := slope_by_length(run)) is not None]))


def _at(group: Group, metric: str, bucket: str) -> float:
    """Quality at a length; NaN where it was not measured."""
    return mean(spread_of([values[bucket] for run in group.runs if bucket in (values := lengths_of(run, metric))]))


def _reach(group: Group, metric: str, labels: Sequence[str]) -> int:
    """The number of the last length up to which quality is `MOST`; −1 if it never is."""
    below = (number for number, label in enumerate(labels) if _at(group, metric, label) < MOST)
    return next(below, len(labels)) - 1
