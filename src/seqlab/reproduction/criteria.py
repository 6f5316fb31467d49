"""The rules that decide criteria, each a function of the claim's groups.

A rule returns what was measured, in words, and whether the criterion holds. It raises `IncomparableError` where a group
has no runs, or a run lacks a figure.
"""

from __future__ import annotations

import inspect
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from seqlab.errors import InputError
from seqlab.metrics.registry import entry_of
from seqlab.reproduction.claim import Criterion
from seqlab.reproduction.claim_figures import figure, written, written_difference
from seqlab.reproduction.power_law import PowerLaw, fitted
from seqlab.reproduction.search_outcome import SearchOutcome
from seqlab.runs.schemas import Digest
from seqlab.runs.significance import METRICS, significance
from seqlab.runs.spread import Spread

OUTPUTS_OF_TEST = "metrics.test.free_running/"
"""How the figures begin whose differences a paired bootstrap can test, as those of single outputs are kept."""


class IncomparableError(Exception):
    """A criterion cannot be decided, for the reason in the message."""


@dataclass(frozen=True)
class ProbeOutput:
    """A model's translation of one source sentence.

    Args:
        source: the sentence.
        match: whether the translation is one of the references.
        references: the number of known translations.
    """

    source: str
    match: bool
    references: int


@dataclass(frozen=True)
class Results:
    """The finished runs of a group.

    Args:
        digests: one per finished run.
        expected: the number of runs that the group should have.
        probe_outputs: per run, its translations of the sentences in `Claim.say`.
        search: what came of the search before the runs, if there was one.
    """

    digests: Sequence[Digest]
    expected: int
    probe_outputs: Sequence[Sequence[ProbeOutput]] = ()
    search: SearchOutcome | None = None


Groups = Mapping[str, Results]


@dataclass(frozen=True)
class Finding:
    """What was measured for a criterion.

    Args:
        measured: the figures, in words.
        holds: whether the criterion holds; None if it cannot be decided.
        why: why it cannot be decided.
    """

    measured: str
    holds: bool | None
    why: str | None = None


def judge(criterion: Criterion, groups: Groups) -> Finding:
    """Decides a criterion.

    Raises:
        InputError: there is no such rule, or it takes other arguments.
    """
    if criterion.rule not in RULES:
        raise InputError(f"{criterion.text}: rule must be one of {', '.join(RULES)}, but is {criterion.rule!r}")
    rule = RULES[criterion.rule]
    try:
        inspect.signature(rule).bind(groups, **criterion.arguments)
    except TypeError as error:
        raise InputError(f"{criterion.text}: {criterion.rule}: {error}") from None
    try:
        measured, holds = rule(groups, **criterion.arguments)
    except IncomparableError as reason:
        return Finding("–", None, str(reason))
    lacking = [
        f"{len(groups[label].digests)} of {groups[label].expected} runs of {label}"
        for label in _labels(criterion)
        if len(groups[label].digests) < groups[label].expected
    ]
    return Finding(measured, None, ", ".join(lacking)) if lacking else Finding(measured, holds)


def _labels(criterion: Criterion) -> list[str]:
    """The labels of the groups that a criterion is about."""
    labels = []
    for name in ("of", "than", "base", "shares"):
        value = criterion.arguments.get(name, ())
        labels += [value] if isinstance(value, str) else list(value)
    return [*labels, *(label for line in criterion.arguments.get("lines", {}).values() for label in line)]


def values_of(groups: Groups, label: str, name: str) -> Spread:
    """The spread of a figure over the runs of a group.

    Raises:
        IncomparableError: there are no runs, or one of them lacks the figure.
    """
    if label not in groups:
        raise IncomparableError(f"there is no group {label}")
    digests = groups[label].digests
    if not digests:
        raise IncomparableError(f"no finished run of {label}")
    values = [value for digest in digests if (value := figure(digest, name)) is not None]
    if len(values) < len(digests):
        raise IncomparableError(f"{name} was not measured in every run of {label}")
    return Spread.of(values)


def at_least(groups: Groups, of: str, figure: str, bound: float) -> tuple[str, bool]:
    """The mean of a group is `bound` or more."""
    values = values_of(groups, of, figure)
    return written(figure, values), values.mean >= bound


def below(groups: Groups, of: str, figure: str, bound: float) -> tuple[str, bool]:
    """The mean of a group is below `bound`."""
    values = values_of(groups, of, figure)
    return written(figure, values), values.mean < bound


def above(
    groups: Groups, of: str, figure: str, than: str | None = None, than_figure: str | None = None
) -> tuple[str, bool]:
    """The mean of a group is above the mean of another group or figure."""
    values, other = _both(groups, of, figure, than, than_figure)
    return f"{written(figure, values)} against {written(than_figure or figure, other)}", values.mean > other.mean


def below_other(
    groups: Groups, of: str, figure: str, than: str | None = None, than_figure: str | None = None
) -> tuple[str, bool]:
    """The mean of a group is below the mean of another group or figure."""
    values, other = _both(groups, of, figure, than, than_figure)
    return f"{written(figure, values)} against {written(than_figure or figure, other)}", values.mean < other.mean


def _both(groups: Groups, of: str, figure: str, than: str | None, than_figure: str | None) -> tuple[Spread, Spread]:
    return values_of(groups, of, figure), values_of(groups, than or of, than_figure or figure)


def falling(groups: Groups, of: Sequence[str], figure: str) -> tuple[str, bool]:
    """The mean falls from each group to the next."""
    spreads = [values_of(groups, label, figure) for label in of]
    means = [one.mean for one in spreads]
    return ", ".join(written(figure, one) for one in spreads), all(a > b for a, b in itertools.pairwise(means))


def recovers(groups: Groups, base: str, shares: Mapping[str, float], figure: str, tolerance: float) -> tuple[str, bool]:
    """A meter recovers the share that was planted in each group, to within `tolerance`.

    Where the meter shows b for `base`, in which nothing is planted, it should show b + p · (1 − b) for a planted share
    p. The rule solves that for p.
    """
    ground = values_of(groups, base, figure).mean
    recovered = {label: (values_of(groups, label, figure).mean - ground) / (1 - ground) for label in shares}
    measured = f"{ground:.2%} by itself; above it " + ", ".join(
        f"{recovered[label]:.2%} of {share:.0%}" for label, share in shares.items()
    )
    return measured, all(abs(recovered[label] - share) <= tolerance for label, share in shares.items())


def stated(groups: Groups, of: Sequence[str], figures: Mapping[str, str]) -> tuple[str, bool]:
    """States figures, each after its title in `figures`; holds if all were measured."""
    parts = []
    for label in of:
        statements = [f"{title} {written(name, values_of(groups, label, name))}" for name, title in figures.items()]
        parts.append((f"{label}: " if len(of) > 1 else "") + ", ".join(statements))
    return "; ".join(parts), True


def apart(groups: Groups, of: Sequence[str], than: Sequence[str], figure: str, by: float) -> tuple[str, bool]:
    """The mean of every group in `of` is above that of every group in `than`, by at least `by`.

    The closest two groups decide. How certain their difference is, a paired bootstrap over the test examples tells.
    """
    low, high, difference = _closest(groups, of, than, figure)
    one, other = (f"{label} {written(figure, values_of(groups, label, figure))}" for label in (low, high))
    test = _tested(groups, high, low, figure)
    return f"{one}, {other}: {written_difference(figure, difference)}{test}", difference >= by


def further_apart(
    groups: Groups, of: Sequence[str], than: Sequence[str], figure: str, than_figure: str
) -> tuple[str, bool]:
    """The closest of the groups `of` and `than` (see `apart`) are further apart in `figure` than in `than_figure`.

    Where one of the groups `of` is below one of `than` in `figure`, they are not apart at all.
    """
    distances = []
    parts = []
    for name in (figure, than_figure):
        low, high, difference = _closest(groups, of, than, name)
        distances.append(difference)
        side = "below" if difference < 0 else "above"
        parts.append(f"{written_difference(name, difference)} ({low} {side} {high})")
    return " against ".join(parts), distances[0] > max(distances[1], 0.0)


def _closest(groups: Groups, of: Sequence[str], than: Sequence[str], figure: str) -> tuple[str, str, float]:
    """The lowest of the groups `of`, the highest of the groups `than`, and the difference of their means."""
    means = {label: values_of(groups, label, figure).mean for label in (*of, *than)}
    low, high = min(of, key=lambda label: means[label]), max(than, key=lambda label: means[label])
    return low, high, means[low] - means[high]


def _tested(groups: Groups, a: str, b: str, figure: str) -> str:
    """The interval and the chance of a difference, b − a, in words; "" for a figure that cannot be tested."""
    metric = entry_of(figure).label if figure.startswith(OUTPUTS_OF_TEST) else ""
    if metric not in METRICS or (test := significance(groups[a].digests, groups[b].digests, metric)) is None:
        return ""
    low, high = (written_difference(figure, end) for end in test["interval"])
    return f" (95 % interval over sentences {low} to {high}, p = {test['p']:.2g})"


def any_above(groups: Groups, of: Sequence[str], figure: str, than_figure: str) -> tuple[str, bool]:
    """The mean of at least one of the groups is above that of another figure of its own."""
    parts, holds = [], False
    for label in of:
        values, other = _both(groups, label, figure, None, than_figure)
        difference = values.mean - other.mean
        holds |= difference > 0
        gap = written_difference(figure, difference)
        parts.append(f"{label} {written(figure, values)} against {written(than_figure, other)} ({gap})")
    return "; ".join(parts), holds


def none_above(groups: Groups, of: Sequence[str], figure: str, bound: float) -> tuple[str, bool]:
    """No run of any of the groups is above `bound`."""
    most = {label: max(values_of(groups, label, figure).values) for label in of}
    label = max(of, key=lambda label: most[label])
    return f"at most {most[label]:.4g}, {label}", most[label] <= bound


def power_law(groups: Groups, lines: Mapping[str, Sequence[str]], x: str, y: str) -> tuple[str, bool]:
    """Along each line of groups, y falls as a power of x: the interval of its exponent over seeds is above 0."""
    laws = power_laws(groups, lines, x, y)
    return "; ".join(f"{name}: {law}" for name, law in laws.items()), all(law.falls for law in laws.values())


def power_laws(groups: Groups, lines: Mapping[str, Sequence[str]], x: str, y: str) -> dict[str, PowerLaw]:
    """The power law of each line, a list of groups, by its name.

    Raises:
        IncomparableError: a group has no runs, one of them lacks a figure, or no seed has all groups of a line.
    """
    laws = {}
    for name, labels in lines.items():
        points = [_by_seed(groups, label, x, y) for label in labels]
        try:
            laws[name] = fitted(points)
        except ValueError as reason:
            raise IncomparableError(f"{name}: {reason}") from None
    return laws


def _by_seed(groups: Groups, label: str, x: str, y: str) -> dict[int, tuple[float, float]]:
    """Two figures of each run of a group, by its seed."""
    values = (values_of(groups, label, name).values for name in (x, y))
    return {digest["seed"]: (one, other) for digest, one, other in zip(groups[label].digests, *values, strict=True)}


def classes(groups: Groups, of: Sequence[str]) -> tuple[str, bool]:
    """States the share of each class of failures; holds if they were counted."""
    parts = []
    for label in of:
        counts: Counter[str] = Counter()
        if not groups[label].digests:
            raise IncomparableError(f"no finished run of {label}")
        for digest in groups[label].digests:
            if "failures" not in digest:
                raise IncomparableError(f"failures of {label} were not counted")
            counts.update(digest["failures"]["counts"])
        total = sum(counts.values())
        parts.append(f"{label}: " + ", ".join(f"{name} {count / total:.1%}" for name, count in counts.items()))
    return "; ".join(parts), True


def known_translation(groups: Groups, of: str) -> tuple[str, bool]:
    """In more than half of the runs, the translation of each probe sentence is one of its references."""
    runs = groups[of].probe_outputs
    if not runs:
        raise IncomparableError(f"no run of {of} was asked")
    references = {one.source: one.references for one in runs[0]}
    right = {source: sum(one.match for run in runs for one in run if one.source == source) for source in references}
    parts = [f"`{source}` {right[source]} of {len(runs)} (of {references[source]} references)" for source in references]
    return ", ".join(parts), all(2 * count > len(runs) for count in right.values())


RULES: dict[str, Callable[..., tuple[str, bool]]] = {
    "at_least": at_least,
    "below": below,
    "above": above,
    "below_other": below_other,
    "falling": falling,
    "recovers": recovers,
    "apart": apart,
    "further_apart": further_apart,
    "any_above": any_above,
    "none_above": none_above,
    "power_law": power_law,
    "stated": stated,
    "classes": classes,
    "said": known_translation,
}
