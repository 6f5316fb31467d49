"""The rules by which criteria are decided, each a function of the claim's groups.

A rule gives what was measured in words, and whether the criterion holds. Where a group lacks runs or figures nothing
can be said: `IncomparableError`.
"""

from __future__ import annotations

import inspect
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqlab.errors import InputError
from seqlab.reproduction.claim import Criterion
from seqlab.reproduction.claim_figures import figure, written
from seqlab.runs.schemas import Digest
from seqlab.runs.spread import spread


class IncomparableError(Exception):
    """A criterion cannot be decided; says why."""


@dataclass(frozen=True)
class ProbeOutput:
    """What a model made of a source that it was asked to translate, and how many translations are known."""

    source: str
    match: bool
    references: int


@dataclass(frozen=True)
class Results:
    """The finished runs of a group."""

    digests: Sequence[Digest]
    expected: int  # runs
    said: Sequence[Sequence[ProbeOutput]] = ()  # of each run


Groups = Mapping[str, Results]


@dataclass(frozen=True)
class Finding:
    """What a criterion came to."""

    measured: str
    holds: bool | None
    why: str | None = None


def judge(criterion: Criterion, groups: Groups) -> Finding:
    """Decides a criterion.

    Raises:
        InputError: no such rule, or one that takes other arguments.
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
    found = []
    for name in ("of", "than", "base", "shares"):
        value = criterion.arguments.get(name, ())
        found += [value] if isinstance(value, str) else list(value)
    return found


def values_of(groups: Groups, label: str, name: str) -> dict[str, Any]:
    """The spread of a figure over the runs of a group.

    Raises:
        IncomparableError: there are no runs, or one has no such figure.
    """
    if label not in groups:
        raise IncomparableError(f"there is no group {label}")
    digests = groups[label].digests
    if not digests:
        raise IncomparableError(f"no finished run of {label}")
    values = [value for digest in digests if (value := figure(digest, name)) is not None]
    if len(values) < len(digests):
        raise IncomparableError(f"{name} was not measured in every run of {label}")
    return spread(values)


def at_least(groups: Groups, of: str, figure: str, bound: float) -> tuple[str, bool]:
    """The mean of a group is `bound` or more."""
    found = values_of(groups, of, figure)
    return written(figure, found), found["mean"] >= bound


def below(groups: Groups, of: str, figure: str, bound: float) -> tuple[str, bool]:
    """The mean of a group is below `bound`."""
    found = values_of(groups, of, figure)
    return written(figure, found), found["mean"] < bound


def above(
    groups: Groups, of: str, figure: str, than: str | None = None, than_figure: str | None = None
) -> tuple[str, bool]:
    """The mean of a group is above that of another one, or of another figure."""
    found, other = _both(groups, of, figure, than, than_figure)
    return f"{written(figure, found)} against {written(than_figure or figure, other)}", found["mean"] > other["mean"]


def below_other(
    groups: Groups, of: str, figure: str, than: str | None = None, than_figure: str | None = None
) -> tuple[str, bool]:
    """The mean of a group is below that of another one, or of another figure."""
    found, other = _both(groups, of, figure, than, than_figure)
    return f"{written(figure, found)} against {written(than_figure or figure, other)}", found["mean"] < other["mean"]


def _both(groups: Groups, of: str, figure: str, than: str | None, than_figure: str | None) -> tuple[Any, Any]:
    return values_of(groups, of, figure), values_of(groups, than or of, than_figure or figure)


def falling(groups: Groups, of: Sequence[str], figure: str) -> tuple[str, bool]:
    """The mean falls from each group to the next."""
    found = [values_of(groups, label, figure) for label in of]
    means = [one["mean"] for one in found]
    return ", ".join(written(figure, one) for one in found), all(a > b for a, b in itertools.pairwise(means))


def recovers(groups: Groups, base: str, shares: Mapping[str, float], figure: str, tolerance: float) -> tuple[str, bool]:
    """What a meter finds above what `base` has by itself is, of each group, the share that was put there.

    Of a share p of what is not found in `base`, a meter must find base + p · (1 − base).
    """
    ground = values_of(groups, base, figure)["mean"]
    found = {label: (values_of(groups, label, figure)["mean"] - ground) / (1 - ground) for label in shares}
    measured = f"{ground:.2%} by itself; above it " + ", ".join(
        f"{found[label]:.2%} of {share:.0%}" for label, share in shares.items()
    )
    return measured, all(abs(found[label] - share) <= tolerance for label, share in shares.items())


def stated(groups: Groups, of: Sequence[str], figures: Mapping[str, str]) -> tuple[str, bool]:
    """Figures (with what they are called) are there to be stated; holds if they are."""
    parts = []
    for label in of:
        said = [f"{title} {written(name, values_of(groups, label, name))}" for name, title in figures.items()]
        parts.append((f"{label}: " if len(of) > 1 else "") + ", ".join(said))
    return "; ".join(parts), True


def classes(groups: Groups, of: Sequence[str]) -> tuple[str, bool]:
    """The classes of failures are counted; holds if they are."""
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


def said(groups: Groups, of: str) -> tuple[str, bool]:
    """Of every source that is asked for, the model gives a known translation, in the mean of the runs: in most."""
    runs = groups[of].said
    if not runs:
        raise IncomparableError(f"no run of {of} was asked")
    asked = [one.source for one in runs[0]]
    right = {source: sum(one.match for run in runs for one in run if one.source == source) for source in asked}
    known = {one.source: one.references for one in runs[0]}
    parts = [f"`{source}` {right[source]} of {len(runs)} (of {known[source]} references)" for source in asked]
    return ", ".join(parts), all(2 * count > len(runs) for count in right.values())


RULES: dict[str, Callable[..., tuple[str, bool]]] = {
    rule.__name__: rule for rule in (at_least, below, above, below_other, falling, recovers, stated, classes, said)
}
