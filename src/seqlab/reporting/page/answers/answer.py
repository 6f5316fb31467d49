"""What an answer is, what it is asked of, and how its sentences write figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from seqlab.reporting.page.groups import FORMS, USUAL, RunGroup, Spread, by_dataset, form
from seqlab.reporting.page.sources import Material
from seqlab.reproduction.reference import remake


@dataclass(frozen=True)
class Answer:
    """A question, sentences, and where on the page the figures stand.

    Args:
        sentences: the first says most; none where nothing was measured.
        links: (what, id).
        run: what would answer it, or what would complete the answer.
        missing: what it lacks, if it is answered in part.
        command: a line that the sentences speak of.
    """

    question: str
    sentences: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    run: str = ""
    missing: str = ""
    command: str = ""


@dataclass(frozen=True)
class Scope:
    """Groups that compare: of one dataset and split, measured on the same examples.

    Args:
        own: whether some of them are the user's.
        profile: with which the others were run.
    """

    dataset: str
    own: bool
    profile: str
    groups: list[RunGroup]

    @property
    def title(self) -> str:
        """How sentences on it begin."""
        kind = "your runs" if all(one.own for one in self.groups) else "yours beside the reference"
        kind = kind if self.own else "reference" + (f", {self.profile}" if self.profile != USUAL else "")
        return f"{self.dataset} ({kind})"

    @property
    def architectures(self) -> int:
        """How many different ones there are."""
        return len({one.architecture for one in self.groups})


def scopes(material: Material) -> list[Scope]:
    """All that can be compared: the user's runs first, beside the reference where they are alone."""
    own, references = [], []
    for dataset, some in by_dataset(material.groups).items():
        for alike in _alike(some):
            yours = [one for one in alike if one.own]
            others = {
                profile: list(groups)
                for profile, groups in groupby(
                    sorted((one for one in alike if not one.own), key=_profile), key=lambda one: one.profile
                )
            }
            if yours:
                beside = [] if len(yours) > 1 else others.get(yours[0].profile, [])
                own.append(Scope(dataset, True, yours[0].profile, [*yours, *beside]))
            references += [Scope(dataset, False, profile, groups) for profile, groups in others.items()]
    return [*own, *references]


def _profile(group: RunGroup) -> tuple[bool, str]:
    return group.profile != USUAL, group.profile


def _alike(groups: Sequence[RunGroup]) -> list[list[RunGroup]]:
    """Those of one dataset by split and examples."""
    found: dict[tuple[str, str | None], list[RunGroup]] = {}
    for one in groups:
        found.setdefault((one.split, one.measured_on), []).append(one)
    return list(found.values())


def lacking(material: Material, groups: Iterable[RunGroup]) -> tuple[str, str]:
    """What the claims of `groups` lack, and the command that makes it; empty where they are complete."""
    found = list(groups)
    for claim in material.claims:
        if claim.get("partial") and any(one.is_of(claim) and not one.own for one in found):
            return claim["partial"], remake(claim)
    return "", ""


def of(group: RunGroup, metric: str) -> str:
    """A metric with its spread, and over how many of its seeds that is."""
    found = group.metric(metric)
    return "–" if found is None else f"{format(found, form(metric))}{over(group, found)}"


def over(group: RunGroup, figure: Spread) -> str:
    """Of how many seeds a figure is, in words."""
    every = len(group.seeds)
    if figure.count < every:
        return f" over {figure.count} of {every} seeds, as the others have none"
    return f" over {every} seeds" if every > 1 else " with one seed"


def mean(figure: Spread | None) -> float:
    """NaN of nothing."""
    return float("nan") if figure is None else figure.mean


def in_form(value: float, word: str) -> str:
    """A value as figures of that name are written."""
    return format(value, FORMS.get(word, ".3g"))
