"""What an answer is, which groups of runs it compares, and how its sentences write figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from seqlab.reporting.page.groups import RunGroup, by_dataset
from seqlab.reporting.page.headings import heading
from seqlab.reporting.page.judging import FORMS
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import Table, diverged_seeds, metric_text
from seqlab.reproduction.claim import USUAL_PROFILE
from seqlab.reproduction.reference import remake
from seqlab.runs.spread import Spread

SHARED_MACHINE = (
    "Times of training and of generation are shown only of runs that had their cores to themselves meanwhile: not of"
    " those that waited for one for more than a tenth of the time, nor of earlier ones, which did not record it."
)


@dataclass(frozen=True)
class Conclusion:
    """What the runs of one dataset, or one search, show.

    Args:
        about: the runs or the search.
        verdict: one sentence, with its figure and how certain that is.
        evidence: sentences with the figures behind the verdict, and with what else may explain it.
        table: figures that belong to the verdict.
        is_users: whether it is about runs or a search of the user's.
    """

    about: str
    verdict: str
    evidence: list[str] = field(default_factory=list)
    is_users: bool = False
    table: Table | None = None


@dataclass(frozen=True)
class Answer:
    """A question, the conclusions that answer it, and links to the figures behind them.

    Args:
        conclusions: the first is the most important; empty where nothing was measured.
        links: (text, id on the page).
        run: the command that would answer the question, or complete the answer.
        missing: what a partial answer lacks.
        command: a command that the evidence refers to.
        limit: what the figures cannot tell; the page states it once for all answers that have it.
    """

    question: str
    conclusions: list[Conclusion] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    run: str = ""
    missing: str = ""
    command: str = ""
    limit: str = ""

    @property
    def shown(self) -> list[Conclusion]:
        """What the page shows at once: all that is about the user's runs, or the first conclusion if nothing is."""
        return [one for one in self.conclusions if one.is_users] or self.conclusions[:1]

    @property
    def folded(self) -> list[Conclusion]:
        """The others, which stand with the evidence."""
        some = any(one.is_users for one in self.conclusions)
        return [one for one in self.conclusions if not one.is_users] if some else self.conclusions[1:]


@dataclass(frozen=True)
class Scope:
    """Groups that can be compared: of one dataset and split, evaluated on the same examples.

    Args:
        has_yours: whether the user made some of them.
        profile: the profile of the reference groups.
    """

    dataset: str
    has_yours: bool
    profile: str
    groups: list[RunGroup]

    @property
    def name(self) -> str:
        """The dataset as people read it."""
        return heading(self.groups[0])

    @property
    def title(self) -> str:
        """How sentences about it begin."""
        if not self.has_yours:
            kind = "reference" + (f", {self.profile}" if self.profile != USUAL_PROFILE else "")
        elif all(one.is_users for one in self.groups):
            kind = "your runs"
        else:
            kind = "yours beside the reference"
        return f"{self.name} ({kind})"

    @property
    def architectures(self) -> int:
        """The number of different architectures."""
        return len({one.architecture for one in self.groups})


def scopes(material: Material) -> list[Scope]:
    """Everything that can be compared: the user's runs first, then the references that compare most architectures with
    several seeds each.

    A single group of the user's is compared with the reference.
    """
    yours, references = [], []
    for dataset, groups in by_dataset(material.groups).items():
        for alike in _on_same_examples(groups):
            made_here = [one for one in alike if one.is_users]
            others = {
                profile: list(some)
                for profile, some in groupby(
                    sorted((one for one in alike if not one.is_users), key=_profile), key=lambda one: one.profile
                )
            }
            if made_here:
                beside = [] if len(made_here) > 1 else others.get(made_here[0].profile, [])
                yours.append(Scope(dataset, True, made_here[0].profile, [*made_here, *beside]))
            references += [Scope(dataset, False, profile, some) for profile, some in others.items()]
    return [*yours, *sorted(references, key=_breadth, reverse=True)]


def _breadth(scope: Scope) -> tuple[int, int]:
    return len({one.architecture for one in scope.groups if len(one.seeds) > 1}), scope.architectures


def _profile(group: RunGroup) -> tuple[bool, str]:
    return group.profile != USUAL_PROFILE, group.profile


def _on_same_examples(groups: Sequence[RunGroup]) -> list[list[RunGroup]]:
    """Groups of one dataset, by their split and the examples they were evaluated on."""
    alike: dict[tuple[str, str | None], list[RunGroup]] = {}
    for one in groups:
        alike.setdefault((one.split, one.measured_on), []).append(one)
    return list(alike.values())


def missing_runs(material: Material, groups: Iterable[RunGroup]) -> tuple[str, str]:
    """What the claims of `groups` lack, and the command that makes it; empty where they are complete."""
    groups = list(groups)
    for claim in material.claims:
        if claim.get("partial") and any(one.is_of(claim) and not one.is_users for one in groups):
            return claim["partial"], remake(claim)
    return "", ""


def metric_over_seeds(group: RunGroup, metric: str) -> str:
    """A metric with its spread and the number of seeds, or in how many of them it diverged."""
    figure = group.metric(metric)
    if figure is None:
        return "not measured"
    return metric_text(group, metric) + ("" if diverged_seeds(group, metric) else seed_count(group, figure))


def seed_count(group: RunGroup, figure: Spread) -> str:
    """The number of seeds that have a figure, in words."""
    seeds = len(group.seeds)
    if figure.count < seeds:
        return f" over {figure.count} of {seeds} seeds"
    return f" over {seeds} seeds" if seeds > 1 else " with one seed"


def mean(figure: Spread | None) -> float:
    """The mean, or NaN where there is no figure."""
    return float("nan") if figure is None else figure.mean


def formatted(value: float, label: str) -> str:
    """A value in the form of the metric with that label; three digits where no metric has it."""
    return format(value, FORMS.get(label, ".3g"))
