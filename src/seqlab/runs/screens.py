"""A table of figures on a terminal, split to fit its width, without characters that would control the terminal."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from hydra_pruning_sweeper.messages import printable


def screens(heads: list[str], rows: list[list[str]], labels: int, width: int) -> list[Any]:
    """The table as several tables no wider than the screen. Each begins with the labels; no figure is wrapped.

    Args:
        labels: how many of the columns are labels.
        width: of the screen, in characters.
    """
    heads, rows = [printable(head) for head in heads], [[printable(cell) for cell in row] for row in rows]
    columns = [[row[i] for row in rows] for i in range(len(heads))]
    widths = [max(map(cell_len, [*head.split(), *column])) for head, column in zip(heads, columns, strict=True)]
    widest = max(8, width // (2 * labels) - 2)  # labels leave half of the screen to figures
    widths[:labels] = [min(one, widest) for one in widths[:labels]]
    parts: list[list[int]] = [[]]
    for i in range(labels, len(heads)):
        if parts[-1] and sum(widths[j] + 2 for j in [*range(labels), *parts[-1], i]) - 2 > width:
            parts.append([])
        parts[-1].append(i)
    screens = []
    for part in parts:
        screen = Table(box=None, pad_edge=False, header_style="bold")
        for i in [*range(labels), *part]:
            side: Any = "left" if i < labels else "right"
            screen.add_column(Text(heads[i]), justify=side, width=widths[i], overflow="fold")
        for row in rows:
            screen.add_row(*(Text(row[i]) for i in [*range(labels), *part]))
        screens.append(screen)
    return screens
