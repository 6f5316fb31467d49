"""Whether a source that passes through one vector suffers more from its length than one that attention looks at."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hydra_pruning_sweeper.differences import listed
from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.answers.answer import Answer, Scope, lacking, scopes
from seqlab.reporting.page.answers.carried_context import SHOWN, differing
from seqlab.reporting.page.answers.evidence import Gap, between, untold
from seqlab.reporting.page.groups import Digest, RunGroup, named, slug
from seqlab.reporting.page.plots import buckets, length_metric, lengths, lengths_of, trained_to
from seqlab.reporting.page.sources import Material
from seqlab.reproduction.claim_figures import slope_by_length

FIXED = ("gru", "lstm", "context_gru")  # the source passes through one vector
LOOKING = ("bahdanau", "luong", "transformer", "conv")  # attention; those with the likest encoder first
MOST = 0.9  # the share of outputs that must be right for a length to be mastered

Figure = Callable[[Digest], float | None]


@dataclass(frozen=True)
class Measure:
    """What length does to a run, as one figure, of which more is better.

    Args:
        meaning: in words, to stand before the figures.
        figure: of a run's digest; None where it cannot be computed.
        write: a difference, with its sign.
        unit: of a difference.
        plain: as it stands for itself.
        falls: whether it is a change, which is a cost only below zero.
    """

    meaning: str
    figure: Figure
    write: Callable[[float], str]
    unit: str
    plain: Callable[[float], str]
    falls: bool


def fixed_vector(material: Material) -> Answer:
    """Quality by the source's length, beside a model with attention: wherever both kinds ran on the same data."""
    question = "Does the length of the source cost models with one fixed vector more than those with attention?"
    sentences, links, asked = [], [], []
    for scope in scopes(material):
        some = [one for one in scope.groups if lengths(one)]
        fixed = [one for one in some if one.architecture in FIXED]
        looking = _likest([one for name in LOOKING for one in some if one.architecture == name], fixed)
        metric = length_metric([*fixed, looking]) if looking and fixed else None
        if looking and metric and len(buckets([*fixed, looking])) > 1 and _asked(scope, fixed, looking):
            sentences.append(f"{scope.title}: {_falls(fixed, looking, metric)}")
            links.append((f"plot, {scope.dataset}", f"length-{slug(scope.dataset)}"))
            asked += [*fixed, looking]
    if not sentences:
        return Answer(question, run="make reproduce-C")
    missing, run = lacking(material, asked)
    return Answer(question, sentences, list(dict.fromkeys(links)), run, missing)


def _likest(looking: Sequence[RunGroup], fixed: Sequence[RunGroup]) -> RunGroup | None:
    """The first of those whose settings differ least from those of the fixed ones."""
    return min(looking, key=lambda one: sum(len(differing(other, one)) for other in fixed), default=None)


def _asked(scope: Scope, fixed: Sequence[RunGroup], looking: RunGroup) -> bool:
    return not scope.own or any(one.own for one in [*fixed, looking])


def _falls(fixed: Sequence[RunGroup], looking: RunGroup, metric: str) -> str:
    """A verdict on each fixed one against attention, with the figures of all."""
    groups = [*fixed, looking]
    names, labels = named(groups), buckets(groups)
    measure = _slope(metric) if metric == "bleu" else _reach(metric, labels)
    values = {one.id: one.by_seed(measure.figure) for one in groups}
    shown = [f"{names[one.id]} {_written(values[one.id], measure)}" for one in groups]
    text = f"{measure.meaning}: {'; '.join(shown)}."
    beside = names[looking.id]
    # What seeds do not tell is listed together, by why: there is one thing to be said of it.
    unknown: dict[str, list[str]] = {}
    for one in fixed:
        gap = between(values[looking.id], values[one.id])
        if gap is None:
            text += f" Whether length costs {names[one.id]} more than {beside} is not known."
        elif gap.shown or gap.none_shown:
            text += f" {_verdict(gap, values[one.id], values[looking.id], measure, names[one.id], beside)}"
        else:
            unknown.setdefault(untold(gap), []).append(f"{names[one.id]} {gap.written(measure.write, measure.unit)}")
    for why, gaps in unknown.items():
        text += f" Against {beside}: {', '.join(gaps)}; {why}."
    for one in fixed:
        if other := differing(one, looking):
            text += f" {names[one.id]} and {beside} differ in {listed(other, SHOWN)}, too: this is not length's alone."
    return text + _all_fail(groups, metric, labels)


def _written(values: Sequence[float], measure: Measure) -> str:
    if not values:
        return "not measurable, as no output is right"
    text = measure.plain(statistics.fmean(values))
    if len(values) > 1:
        text += f" ± {measure.plain(statistics.stdev(values)).lstrip('+−')}"
    return text + (f" over {len(values)} seeds" if len(values) > 1 else " with one seed")


def _verdict(
    gap: Gap, fixed: Sequence[float], looking: Sequence[float], measure: Measure, name: str, beside: str
) -> str:
    """One sentence; a cost is spoken of only where quality falls."""
    worse, other, change = (name, beside, fixed) if gap.size < 0 else (beside, name, looking)
    size = (gap if gap.size < 0 else gap.turned).written(measure.write, measure.unit)
    if gap.none_shown:
        return f"Between {name} and {beside} no difference is shown: {gap.written(measure.write, measure.unit)}."
    if not measure.falls:
        return f"{worse} masters shorter sources than {other}: {size}."
    if not _falling(change):
        return f"Quality is not shown to fall with length in {worse}; the difference to {other}, {size}, is no cost."
    return f"Length costs {worse} more than {other}: {size}."


def _falling(values: Sequence[float]) -> bool:
    """Whether a change is below zero, over seeds."""
    gap = between([0.0, 0.0], values)
    return gap is not None and gap.shown and gap.size < 0


def _slope(metric: str) -> Measure:
    """Of quality over length, as claim C has it: as a share of the mean quality."""

    def plain(value: float) -> str:
        return f"{value:+.1%}".replace("-", "−")

    def write(value: float) -> str:
        return f"{100 * value:+.1f}".replace("-", "−")

    meaning = f"change of {entry_of(metric).label} with each source token more, as a share of its mean"
    return Measure(meaning, slope_by_length, write, " percentage points", plain, falls=True)


def _reach(metric: str, labels: Sequence[str]) -> Measure:
    """The longest source up to which nearly all outputs are right, in tokens; 0 of a run that masters none."""
    ends = [int(label.rstrip("+").rpartition("–")[2]) for label in labels]

    def reach(run: Digest) -> float | None:
        values = lengths_of(run, metric)
        if not values:
            return None
        below = next((i for i, label in enumerate(labels) if values.get(label, 0.0) < MOST), len(labels))
        return float(ends[below - 1]) if below else 0.0

    meaning = f"longest source, in tokens, up to which {entry_of(metric).label} is at least {MOST:.0%}"

    def write(value: float) -> str:
        return f"{value:+.3g}".replace("-", "−")

    return Measure(meaning, reach, write, " tokens", "{:.3g}".format, falls=False)


def _all_fail(groups: Sequence[RunGroup], metric: str, labels: Sequence[str]) -> str:
    """Where training ended, if nobody goes much beyond it."""
    trained = trained_to(groups[-1])
    at_end = [values.get(labels[-1]) for one in groups for values in (lengths_of(run, metric) for run in one.runs)]
    if metric == "bleu" or not trained or not all(value is not None and value < 1 - MOST for value in at_end):
        return ""
    return f" Training ended at {trained} tokens; at {labels[-1]} less than {1 - MOST:.0%} is right in every run."
