"""What the page opens with: where models with attention look on a source on which those without fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from markupsafe import Markup

from seqlab.reporting.attention_panel import attention_panel, drawn_map
from seqlab.reporting.page.figures import Figure

PANELS = 2
"""Models whose attention is drawn, at most."""
LENGTH, TITLE = "opening-length", "The same data: quality by the length of the source"


@dataclass(frozen=True)
class Opening:
    """A telling source.

    Args:
        title: of its dataset.
        panels: drawings of attention, each of a model that answers with the reference.
        wrong: (name, output) of the models without attention that do not.
        length: quality by length on the same dataset, if that was measured.
    """

    title: str
    source: str
    reference: str
    panels: Sequence[Markup]
    wrong: Sequence[tuple[str, str]]
    length: Figure | None


def opening(explored: Sequence[Mapping[str, Any]], lengths: Sequence[Figure]) -> Opening | None:
    """The longest source of the first dataset that has one on which a model with attention is right and all without
    attention are wrong; else one on which most of these are wrong. None if there is none.

    Args:
        explored: see `sentence_explorer.sentences`.
        lengths: plots of quality by length; the one of the same dataset stands beside it.
    """
    for data in explored:
        telling = [one for one in data["sentences"] if _right(one) and _wrong(one)]
        if telling:
            chosen = max(telling, key=_weight)
            names = [one["name"] for one in data["groups"]]
            beside = next((one for one in lengths if one.title == data["title"]), None)
            return Opening(
                data["title"],
                chosen["source"],
                chosen["reference"],
                [_panel(names[one["group"]], one) for one in _right(chosen)[:PANELS]],
                [(names[one["group"]], one["prediction"]) for one in _wrong(chosen)],
                beside and replace(beside, id=LENGTH, title=TITLE, svg=Markup(beside.svg.replace(beside.id, LENGTH))),
            )
    return None


def _right(sentence: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Outputs with attention that are the reference."""
    return [one for one in sentence["outputs"] if one.get("match") and one.get("maps")]


def _wrong(sentence: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Outputs without attention that are not."""
    return [one for one in sentence["outputs"] if one.get("match") is False and not one.get("maps")]


def _weight(sentence: Mapping[str, Any]) -> tuple[float, int, int]:
    without = [one for one in sentence["outputs"] if not one.get("maps")]
    return len(_wrong(sentence)) / len(without), len(sentence["source"].split()), len(_right(sentence))


def _panel(name: str, output: Mapping[str, Any]) -> Markup:
    weights = [[percent / 100 for percent in row] for row in output["maps"][drawn_map(output["maps"])]]
    panel = attention_panel(name, output["sources"], output["tokens"], weights, "var(--accent)")
    words = escape(f"Where {name} looks for each token that it writes")
    return Markup(
        f'<svg role="img" viewBox="0 0 {panel.width:.0f} {panel.height:.0f}" width="{panel.width:.0f}"'
        f' height="{panel.height:.0f}"><title>{words}</title>{panel.content}</svg>'
    )
