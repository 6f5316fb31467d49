"""What an answer is, and how its sentences write figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from seqlab.reporting.claims.reference import remake
from seqlab.reporting.page.groups import FORMS, USUAL, Group, Spread, by_dataset, form
from seqlab.reporting.page.sources import Material


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


def translation(material: Material) -> list[Group]:
    """The runs on Multi30k that compare: of the reference, or of whoever made the page where there is none."""
    some = [one for one in material.groups if "multi30k" in one.dataset.lower()]
    some = [one for one in some if not one.own] or some
    some = [one for one in some if one.profile != USUAL] or some
    return max(by_dataset(some).values(), key=len, default=[])


def lacking(material: Material, groups: Iterable[Group]) -> tuple[str, str]:
    """What the claims of `groups` lack, and the command that makes it; empty where they are complete."""
    found = list(groups)
    for claim in material.claims:
        if claim.get("partial") and any(one.is_of(claim) and not one.own for one in found):
            return claim["partial"], remake(claim)
    return "", ""


def titled(group: Group, name: str) -> str:
    """Its name, and what that stands for if somebody said so."""
    return f"{name} ({group.title})" if group.title not in ("", name, group.label) else name


def of(group: Group, metric: str) -> str:
    """A metric with its spread."""
    found = group.metric(metric)
    return "–" if found is None else format(found, form(metric))


def mean(figure: Spread | None) -> float:
    """NaN of nothing."""
    return float("nan") if figure is None else figure.mean


def in_form(value: float, word: str) -> str:
    """A value as figures of that name are written."""
    return format(value, FORMS.get(word, ".3g"))


def listed(parts: Sequence[str]) -> str:
    """With commas and an "and"."""
    return " and ".join([*([", ".join(parts[:-1])] if len(parts) > 1 else []), *parts[-1:]])
