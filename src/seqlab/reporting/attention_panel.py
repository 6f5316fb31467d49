"""Attention as a drawing that needs no script: a row for each output token, a column for each source token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

CELL, LEFT, TOP = 24, 34, 58
"""Pixels: a side of a cell, least left and upper margin."""
CHARACTER = 7.2
"""Pixels of a character, about."""
UPRIGHT = 3
"""Characters of a token that fit over a column; longer ones are written aslant."""


class Panel(NamedTuple):
    """A drawing, as the content of an `<svg>`, with its size in pixels."""

    content: str
    width: float
    height: float


def drawn_map(names: Iterable[str]) -> str:
    """The attention that is drawn, of a model that has several: the last one, as the mean of its heads."""
    return [name for name in names if " head " not in name][-1]


def attention_panel(
    title: str, sources: Sequence[str], tokens: Sequence[str], weights: Sequence[Sequence[float]], accent: str
) -> Panel:
    """Draws where a model looked: the stronger, the more.

    Args:
        weights: a row for each output token, with a share from 0 to 1 for each source token.
        accent: the colour of what is looked at. Text has that of the surrounding.
    """
    longest = max(map(len, sources), default=0)
    labels = ["end" if token == "<eos>" else token for token in tokens]
    left = max(LEFT, 10 + CHARACTER * max(map(len, labels), default=0))
    top = TOP if longest <= UPRIGHT else TOP - 20 + 0.9 * CHARACTER * longest
    shapes = [f'<text x="{left}" y="16" font-weight="600" font-size="14">{escape(title)}</text>']
    for column, token in enumerate(sources):
        x, y = left + CELL * (column + 0.5), top - 8
        placed = 'text-anchor="middle"' if longest <= UPRIGHT else f'transform="rotate(-60 {x} {y})"'
        shapes.append(f'<text x="{x}" y="{y}" {placed}>{escape(token)}</text>')
    for row, (label, shares) in enumerate(zip(labels, weights, strict=True)):
        y = top + CELL * row
        shapes.append(f'<text x="{left - 6}" y="{y + CELL / 2 + 4}" text-anchor="end">{escape(label)}</text>')
        shapes += [
            f'<rect x="{left + CELL * column + 1}" y="{y + 1}" width="{CELL - 2}" height="{CELL - 2}" rx="3"'
            f' fill="{accent}" fill-opacity="{0.06 + 0.94 * share:.2f}"/>'
            for column, share in enumerate(shares)
        ]
    return Panel("".join(shapes), left + CELL * len(sources) + 8, top + CELL * len(tokens) + 8)
