"""Whether long sources cost models with one fixed vector more than models with attention."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hydra_pruning_sweeper.differences import Difference
from hydra_pruning_sweeper.messages import true_minus
from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.answers.answer import Answer, Conclusion, Scope, missing_runs, scopes
from seqlab.reporting.page.answers.architectures import ranked
from seqlab.reporting.page.answers.carried_context import differing, set_apart
from seqlab.reporting.page.answers.evidence import Gap, between, why_not_shown
from seqlab.reporting.page.group_names import named, slug
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.judging import quality
from seqlab.reporting.page.plots import buckets, length_metric, lengths, lengths_of, references_left_out
from seqlab.reporting.page.sources import Material
from seqlab.runs.run_figures import RunFigure, mean_over_lengths, slope_by_length
from seqlab.runs.schemas import Digest
from seqlab.runs.spread import Spread

FIXED = ("gru", "lstm", "context_gru")  # the decoder gets one vector of the source
ATTENDING = ("bahdanau", "luong", "transformer", "conv")  # those whose encoder is most like that of `FIXED` first
MASTERED = 0.9  # the share of outputs that must be right for a length to count as mastered


@dataclass(frozen=True)
class Measure:
    """What length does to a run, as one figure; more is better.

    Args:
        meaning: what the figures are, in words.
        figure: takes a run's digest; None where it cannot be computed.
        form: of the figure.
        form_of_difference, unit, scale: of a difference (see `Gap.written`).
        changes: of a change with length, which is a cost only below zero: what it changes, over all lengths.
    """

    meaning: str
    figure: RunFigure
    form: str
    form_of_difference: str
    unit: str
    scale: float = 1.0
    changes: RunFigure | None = None

    def difference(self, gap: Gap) -> str:
        """A difference in words."""
        return gap.written(self.form_of_difference, self.unit, self.scale)


def fixed_vector(material: Material) -> Answer:
    """Quality by source length, against a model with attention, wherever both kinds ran on the same data."""
    question = "Does the length of the source cost models with one fixed vector more than those with attention?"
    conclusions, links, compared = [], [], []
    for scope in scopes(material):
        some = [one for one in scope.groups if lengths(one)]
        fixed = [one for one in some if one.architecture in FIXED]
        attending = [one for name in ATTENDING for one in some if one.architecture == name]
        pairs = [(one, _partner(one, fixed, attending)) for one in fixed] if attending else []
        groups = list({one.id: one for one in (*fixed, *(other for _, other in pairs))}.values())
        metric = length_metric(groups) if pairs else None
        if metric and len(buckets(groups)) > 1 and _concerns(scope, groups):
            conclusions.append(_comparison(scope, pairs, groups, metric))
            links.append((f"plot, {scope.name}", f"length-{slug(scope.dataset)}"))
            compared += groups
    if not conclusions:
        return Answer(question, run="make reproduce-C")
    missing, run = missing_runs(material, compared)
    return Answer(question, conclusions, list(dict.fromkeys(links)), run, missing)


def _partner(one: RunGroup, fixed: Sequence[RunGroup], attending: Sequence[RunGroup]) -> RunGroup:
    """The model with attention that a model with a fixed vector is compared with, one for all tuned ones and one for
    all others: of tuned ones the best, else the first of those whose settings differ least from theirs.
    """
    alike = [other for other in attending if other.tuned == one.tuned] or attending
    if one.tuned and (metric := quality(alike)):
        return ranked(alike, metric)[0]
    without = [other for other in fixed if other.tuned == one.tuned]
    return min(alike, key=lambda other: sum(len(_untuned_differences(each, other)) for each in without))


def _untuned_differences(one: RunGroup, other: RunGroup) -> list[Difference]:
    """What two groups differ in besides the settings that were searched for, and others that take their values."""
    searched = {name for group in (one, other) for name in (group.search or {}).get("space", ())}
    different = differing(one, other)
    values = [(each.old, each.new) for each in different if each.name in searched]
    return [each for each in different if each.name not in searched and (each.old, each.new) not in values]


def _concerns(scope: Scope, groups: Sequence[RunGroup]) -> bool:
    """False where a scope is about the user's runs, but none of the groups is theirs."""
    return not scope.has_yours or any(one.is_users for one in groups)


def _comparison(
    scope: Scope, pairs: Sequence[tuple[RunGroup, RunGroup]], groups: Sequence[RunGroup], metric: str
) -> Conclusion:
    """Each model with a fixed vector against its partner with attention; the figures of all are the evidence, and so
    are pairs without the user's runs, or that were not tuned, where others were.
    """
    names, labels = named(scope.groups), buckets(groups)
    measure = _slope(metric) if metric == "bleu" else _reach(metric, labels)
    users = [pair for pair in pairs if any(one.is_users for one in pair)]
    first = users or [pair for pair in pairs if all(one.tuned for one in pair)] or pairs
    verdict, *evidence = _clauses(first, names, measure)
    if others := [pair for pair in pairs if pair not in first]:
        evidence += [f"of others, {clause}" for clause in _clauses(others, names, measure)]
    shown = [f"{names[one.id]} {_written(one.by_seed(measure.figure), measure)}" for one in groups]
    evidence = [*(f"{one[0].upper()}{one[1:]}." for one in evidence), f"{measure.meaning}: {'; '.join(shown)}."]
    if left_out := references_left_out(groups, metric):
        evidence.append(f"{left_out}.")
    evidence += [*_apart(pairs, names), *_all_fail(groups, metric, labels)]
    return Conclusion(scope.title, f"{verdict}.", evidence, scope.has_yours)


def _clauses(pairs: Sequence[tuple[RunGroup, RunGroup]], names: Mapping[str, str], measure: Measure) -> list[str]:
    """What is decided about pairs, as one clause, then what is not; if nothing is, that alone."""
    decided = []
    undecided: dict[tuple[str, str], list[str]] = {}  # partner and reason → the differences that it concerns
    for one, other in pairs:
        name, beside = names[one.id], names[other.id]
        fixed, attending = one.by_seed(measure.figure), other.by_seed(measure.figure)
        gap = between(attending, fixed)
        if gap is None:
            decided.append(f"whether length costs {name} more than {beside} is not known")
        elif gap.shown or gap.none_shown:
            decided.append(_verdict(gap, one, other, measure, name, beside))
        else:
            size = measure.difference(gap.turned if measure.changes else gap)
            undecided.setdefault((beside, why_not_shown(gap)), []).append(f"{name} {size}")
    what = "the cost of length above that of" if measure.changes else "against"
    others = [f"{what} {beside}: {', '.join(gaps)}; {why}" for (beside, why), gaps in undecided.items()]
    return ["; ".join(decided), *others] if decided else ["; ".join(others)]


def _apart(pairs: Sequence[tuple[RunGroup, RunGroup]], names: Mapping[str, str]) -> list[str]:
    """What else than attention sets the two of a pair apart."""
    tuned = ["Settings that were tuned differ, too: each model has those that a search found for it."]
    return [
        *set_apart(pairs, names, _untuned_differences, "length"),
        *(tuned if any(all(one.tuned for one in pair) for pair in pairs) else []),
    ]


def _written(values: Sequence[float], measure: Measure) -> str:
    if not values:
        return "not measurable, as no output is right"
    text = true_minus(format(Spread.of(values), measure.form))
    return text + (f" over {len(values)} seeds" if len(values) > 1 else " with one seed")


def _verdict(gap: Gap, one: RunGroup, other: RunGroup, measure: Measure, name: str, beside: str) -> str:
    """One clause on `one` against `other`; length costs something only where quality falls with it."""
    if gap.none_shown:
        return f"between {name} and {beside} no difference is shown: {measure.difference(gap)}"
    if gap.size > 0:
        gap, one, other, name, beside = gap.turned, other, one, beside, name
    size = measure.difference(gap)
    if measure.changes is None:
        return f"{name} masters shorter sources than {beside}: {size}"
    if not _falling(one.by_seed(measure.figure)):
        return f"quality is not shown to fall with length in {name}, so the difference to {beside}, {size}, is no cost"
    level, level_beside = (statistics.fmean(each.by_seed(measure.changes)) for each in (one, other))
    if level > level_beside:  # what is bad at every length has little to lose
        beside += ", which is worse on average"
    return f"length costs {name} more than {beside}: {measure.difference(gap.turned)}"


def _falling(values: Sequence[float]) -> bool:
    """Whether a change is below zero, over seeds."""
    gap = between([0.0, 0.0], values)
    return gap is not None and gap.shown and gap.size < 0


def _slope(metric: str) -> Measure:
    """The slope of quality over length, as a share of the mean quality: what claim C is judged by."""
    meaning = f"Change of {entry_of(metric).label} per additional source token, as a share of its mean"
    unit = " percentage points per source token"
    return Measure(meaning, slope_by_length, "+z.1%", "z.1f", unit, 100, mean_over_lengths(metric))


def _reach(metric: str, labels: Sequence[str]) -> Measure:
    """The longest source up to which nearly all outputs are right, in tokens; 0 if a run masters no length."""
    ends = [int(label.rstrip("+").rpartition("–")[2]) for label in labels]

    def reach(run: Digest) -> float | None:
        values = lengths_of(run, metric)
        if not values:
            return None
        below = next((i for i, label in enumerate(labels) if values.get(label, 0.0) < MASTERED), len(labels))
        return float(ends[below - 1]) if below else 0.0

    meaning = f"Longest source, in tokens, up to which {entry_of(metric).label} is at least {MASTERED:.0%}"
    return Measure(meaning, reach, ".3g", "z.3g", " tokens")


def _all_fail(groups: Sequence[RunGroup], metric: str, labels: Sequence[str]) -> list[str]:
    """A sentence with the longest source in training, if every run fails at the longest in test."""
    trained = groups[-1].trained_to
    at_end = [values.get(labels[-1]) for one in groups for values in (lengths_of(run, metric) for run in one.runs)]
    if metric == "bleu" or not trained or not all(value is not None and value < 1 - MASTERED for value in at_end):
        return []
    return [f"Training ended at {trained} tokens; at {labels[-1]} less than {1 - MASTERED:.0%} is right in every run."]
