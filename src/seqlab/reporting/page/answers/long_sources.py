"""Whether long sources cost models with one fixed vector more than models with attention."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hydra_pruning_sweeper.differences import listed
from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.answers.answer import Answer, Conclusion, Scope, missing_runs, scopes
from seqlab.reporting.page.answers.carried_context import SHOWN, differing
from seqlab.reporting.page.answers.evidence import Gap, between, why_not_shown
from seqlab.reporting.page.groups import RunGroup, named, slug
from seqlab.reporting.page.plots import buckets, length_metric, lengths, lengths_of, trained_to
from seqlab.reporting.page.sources import Material
from seqlab.reproduction.claim_figures import slope_by_length
from seqlab.runs.schemas import Digest

FIXED = ("gru", "lstm", "context_gru")  # the decoder gets one vector of the source
ATTENDING = ("bahdanau", "luong", "transformer", "conv")  # those whose encoder is most like that of `FIXED` first
MASTERED = 0.9  # the share of outputs that must be right for a length to count as mastered

Figure = Callable[[Digest], float | None]


@dataclass(frozen=True)
class Measure:
    """What length does to a run, as one figure; more is better.

    Args:
        meaning: what the figures are, in words.
        figure: takes a run's digest; None where it cannot be computed.
        write: writes a difference, with its sign.
        unit: of a difference.
        plain: writes the figure itself.
        is_change: whether it is a change with length, which is a cost only below zero.
    """

    meaning: str
    figure: Figure
    write: Callable[[float], str]
    unit: str
    plain: Callable[[float], str]
    is_change: bool


def fixed_vector(material: Material) -> Answer:
    """Quality by source length, against a model with attention, wherever both kinds ran on the same data."""
    question = "Does the length of the source cost models with one fixed vector more than those with attention?"
    conclusions, links, compared = [], [], []
    for scope in scopes(material):
        some = [one for one in scope.groups if lengths(one)]
        fixed = [one for one in some if one.architecture in FIXED]
        attending = _most_alike([one for name in ATTENDING for one in some if one.architecture == name], fixed)
        metric = length_metric([*fixed, attending]) if attending and fixed else None
        if attending and metric and len(buckets([*fixed, attending])) > 1 and _concerns(scope, [*fixed, attending]):
            conclusions.append(_comparison(scope, fixed, attending, metric))
            links.append((f"plot, {scope.name}", f"length-{slug(scope.dataset)}"))
            compared += [*fixed, attending]
    if not conclusions:
        return Answer(question, run="make reproduce-C")
    missing, run = missing_runs(material, compared)
    return Answer(question, conclusions, list(dict.fromkeys(links)), run, missing)


def _most_alike(attending: Sequence[RunGroup], fixed: Sequence[RunGroup]) -> RunGroup | None:
    """The first of those whose settings differ least from those of the models with a fixed vector."""
    return min(attending, key=lambda one: sum(len(differing(other, one)) for other in fixed), default=None)


def _concerns(scope: Scope, groups: Sequence[RunGroup]) -> bool:
    """False where a scope is about the user's runs, but none of the groups is theirs."""
    return not scope.has_yours or any(one.own for one in groups)


def _comparison(scope: Scope, fixed: Sequence[RunGroup], attending: RunGroup, metric: str) -> Conclusion:
    """Each model with a fixed vector against the one with attention; the figures of all are the evidence."""
    groups = [*fixed, attending]
    names, labels = named(groups), buckets(groups)
    measure = _slope(metric) if metric == "bleu" else _reach(metric, labels)
    values = {one.id: one.by_seed(measure.figure) for one in groups}
    shown = [f"{names[one.id]} {_written(values[one.id], measure)}" for one in groups]
    beside = names[attending.id]
    verdicts = []
    undecided: dict[str, list[str]] = {}  # reason → the differences that it concerns, so that each is given once
    for one in fixed:
        gap = between(values[attending.id], values[one.id])
        if gap is None:
            verdicts.append(f"whether length costs {names[one.id]} more than {beside} is not known")
        elif gap.shown or gap.none_shown:
            verdicts.append(_verdict(gap, values[one.id], values[attending.id], measure, names[one.id], beside))
        else:
            undecided.setdefault(why_not_shown(gap), []).append(
                f"{names[one.id]} {gap.written(measure.write, measure.unit)}"
            )
    verdicts += [f"against {beside}: {', '.join(gaps)}; {why}" for why, gaps in undecided.items()]
    evidence = [f"{measure.meaning}: {'; '.join(shown)}."]
    others = [
        f"{names[one.id]} and {beside} in {listed(other, SHOWN)}"
        for one in fixed
        if (other := differing(one, attending))
    ]
    if others:
        evidence.append(f"Other settings differ, too, so length alone does not explain it: {'; '.join(others)}.")
    evidence += _all_fail(groups, metric, labels)
    return Conclusion(scope.title, f"{'; '.join(verdicts)}.", evidence, scope.has_yours)


def _written(values: Sequence[float], measure: Measure) -> str:
    if not values:
        return "not measurable, as no output is right"
    text = measure.plain(statistics.fmean(values))
    if len(values) > 1:
        text += f" ± {measure.plain(statistics.stdev(values)).lstrip('+−')}"
    return text + (f" over {len(values)} seeds" if len(values) > 1 else " with one seed")


def _verdict(
    gap: Gap, fixed: Sequence[float], attending: Sequence[float], measure: Measure, name: str, beside: str
) -> str:
    """One clause; length costs something only where quality falls with it."""
    worse, other, change = (name, beside, fixed) if gap.size < 0 else (beside, name, attending)
    size = (gap if gap.size < 0 else gap.turned).written(measure.write, measure.unit)
    if gap.none_shown:
        return f"between {name} and {beside} no difference is shown: {gap.written(measure.write, measure.unit)}"
    if not measure.is_change:
        return f"{worse} masters shorter sources than {other}: {size}"
    if not _falling(change):
        return f"quality is not shown to fall with length in {worse}, so the difference to {other}, {size}, is no cost"
    return f"length costs {worse} more than {other}: {size}"


def _falling(values: Sequence[float]) -> bool:
    """Whether a change is below zero, over seeds."""
    gap = between([0.0, 0.0], values)
    return gap is not None and gap.shown and gap.size < 0


def _slope(metric: str) -> Measure:
    """The slope of quality over length, as a share of the mean quality: what claim C is judged by."""

    def plain(value: float) -> str:
        return f"{value:+z.1%}".replace("-", "−")

    def write(value: float) -> str:
        return f"{100 * value:+z.1f}".replace("-", "−")

    meaning = f"Change of {entry_of(metric).label} per additional source token, as a share of its mean"
    return Measure(meaning, slope_by_length, write, " percentage points", plain, is_change=True)


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

    def write(value: float) -> str:
        return f"{value:+z.3g}".replace("-", "−")

    return Measure(meaning, reach, write, " tokens", "{:.3g}".format, is_change=False)


def _all_fail(groups: Sequence[RunGroup], metric: str, labels: Sequence[str]) -> list[str]:
    """A sentence with the longest source in training, if every run fails at the longest in test."""
    trained = trained_to(groups[-1])
    at_end = [values.get(labels[-1]) for one in groups for values in (lengths_of(run, metric) for run in one.runs)]
    if metric == "bleu" or not trained or not all(value is not None and value < 1 - MASTERED for value in at_end):
        return []
    return [f"Training ended at {trained} tokens; at {labels[-1]} less than {1 - MASTERED:.0%} is right in every run."]
