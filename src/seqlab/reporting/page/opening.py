"""What the page opens with: where models with attention look on a source on which those with one vector of it fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from markupsafe import Markup

from seqlab.reporting.attention_panel import attention_panel, drawn_map
from seqlab.reporting.page.answers.long_sources import FIXED
from seqlab.reporting.page.figures import Figure
from seqlab.reporting.page.groups import RunGroup

PANELS = 2
"""Models whose attention is drawn, at most."""
LENGTH, TITLE = "opening-length", "The same data: quality by the length of the source"


@dataclass(frozen=True)
class Opening:
    """A telling source.

    Args:
        title: of its dataset.
        panels: drawings of attention, each of a model that answers with the reference.
        wrong: (name, output) of the models with one vector of the source that do not.
        length: quality by length on the same dataset, if that was measured.
    """

    title: str
    source: str
    reference: str
    panels: Sequence[Markup]
    wrong: Sequence[tuple[str, str]]
    length: Figure | None


def opening(
    explored: Sequence[Mapping[str, Any]], lengths: Sequence[Figure], groups: Sequence[RunGroup]
) -> Opening | None:
    """The longest source of the first dataset that has one on which a model with attention is right and all whose
    decoder gets one vector of the source are wrong; else one on which most of these are wrong. None if there is none.

    An output without maps is not counted among these for that alone: its bundle may not be loaded here, or its state
    may be one vector per layer.

    Args:
        explored: see `sentence_explorer.sentences`.
        lengths: plots of quality by length; the one of the same dataset stands beside it.
        groups: those that the sentences are from, by whose id their architecture is known.
    """
    fixed = {one.id for one in groups if one.architecture in FIXED}
    for data in explored:
        numbers = [number for number, one in enumerate(data["groups"]) if one["id"] in fixed]
        telling = [one for one in data["sentences"] if _right(one) and _wrong(one, numbers)]
        if telling:
            chosen = max(telling, key=lambda one: _weight(one, numbers))
            names = [one["name"] for one in data["groups"]]
            beside = next((one for one in lengths if one.title == data["title"]), None)
            return Opening(
                data["title"],
                chosen["source"],
                chosen["reference"],
                [_panel(names[one["group"]], one) for one in _right(chosen)[:PANELS]],
                [(names[one["group"]], one["prediction"]) for one in _wrong(chosen, numbers)],
                beside and replace(beside, id=LENGTH, title=TITLE, svg=Markup(beside.svg.replace(beside.id, LENGTH))),
            )
    return None


def _right(sentence: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Outputs with attention that are the reference."""
    return [one for one in sentence["outputs"] if one.get("match") and one.get("maps")]


def _wrong(sentence: Mapping[str, Any], fixed: Sequence[int]) -> list[Mapping[str, Any]]:
    """Outputs of the groups with these numbers that are not."""
    return [one for one in sentence["outputs"] if one.get("match") is False and one["group"] in fixed]


def _weight(sentence: Mapping[str, Any], fixed: Sequence[int]) -> tuple[float, int, int]:
    outputs = [one for one in sentence["outputs"] if one["group"] in fixed]
    return len(_wrong(sentence, fixed)) / len(outputs), len(sentence["source"].split()), len(_right(sentence))


def _panel(name: str, output: Mapping[str, Any]) -> Markup:
    weights = [[percent / 100 for percent in row] for row in output["maps"][drawn_map(output["maps"])]]
    panel = attention_panel(name, output["sources"], output["tokens"], weights, "var(--accent)")
    words = escape(f"Where {name} looks for each token that it writes")
    return Markup(
        f'<svg role="img" viewBox="0 0 {panel.width:.0f} {panel.height:.0f}" width="{panel.width:.0f}"'
        f' height="{panel.height:.0f}"><title>{words}</title>{panel.content}</svg>'
    )
