"""Tables of text: described once, then written for a terminal, as Markdown, or as lines separated by tabs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra_pruning_sweeper.messages import isolated, printable

if TYPE_CHECKING:  # imported where a terminal is written to: a pipe does not need it
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment
    from rich.table import Table

GAP = 2
"""Spaces between two columns on a terminal."""
_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_ESCAPED = {escape: character for character, escape in _ESCAPES.items()}


def tsv_line(cells: Iterable[str]) -> str:
    r"""Cells joined by tabs; a tab, a line end or a backslash in a cell is written as `\t`, `\n`, `\r` or `\\`."""
    return "\t".join(re.sub(r"[\\\t\n\r]", lambda match: _ESCAPES[match[0]], cell) for cell in cells)


def tsv_cells(line: str) -> list[str]:
    """The cells that `tsv_line` joined."""
    return [re.sub(r"\\[\\tnr]", lambda match: _ESCAPED[match[0]], cell) for cell in line.split("\t")]


class TextTable:
    """A table whose cells are text. Characters that control a terminal are escaped in all of it.

    Args:
        heads: one per column.
        align: one letter per column: "l" for text, "r" for numbers.
        labels: how many columns, from the left, say what a row is about. They are repeated where a terminal is too
            narrow for the whole table.
    """

    def __init__(self, heads: Sequence[str], align: str, labels: int = 1, rows: Iterable[Sequence[str]] = ()) -> None:
        if len(align) != len(heads):
            raise ValueError(f"align has {len(align)} letters for {len(heads)} columns")
        self.heads, self.align, self.labels = [printable(head) for head in heads], align, labels
        self.rows: list[list[str]] = []
        self._styles: list[str | None] = []
        for row in rows:
            self.add(*row)

    def add(self, *cells: str, style: str | None = None) -> None:
        """Adds a row. Cells that are missing at its end are empty; a terminal shows it in a style of rich's."""
        self.rows.append([*map(printable, cells), *[""] * (len(self.heads) - len(cells))])
        self._styles.append(style)

    @property
    def width(self) -> int:
        """How many columns of a terminal the whole table takes, with no head folded."""
        return _total(self._widths(lambda head: [head]))

    def markdown(self) -> str:
        """The lines of the table, each with its end."""
        rule = ["---:" if letter == "r" else "---" for letter in self.align]
        head, *rows = [[cell.replace("|", "\\|") for cell in row] for row in (self.heads, *self.rows)]
        return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))

    def show(self, console: Console) -> None:
        """Prints the table, in parts with a blank line between them if the console is too narrow for all of it.

        Numbers are never cut off or folded.
        """
        for i, part in enumerate(self._parts(console.width)):
            if i:
                console.print()
            console.print(_Trimmed(part))

    def cut_to_fit(self, width: int) -> Table:
        """The table for a display that is redrawn in place: its last column is cut off at `width`."""
        *widths, last = self._widths(lambda head: [head])
        room = max(1, width - _total([*widths, 0]))
        return self._rich(range(len(self.heads)), [*widths, min(last, room)], no_wrap=True)

    def _parts(self, width: int) -> list[Table]:
        """Tables that are no wider than `width`: heads are folded first, then the columns are distributed."""
        for words in (lambda head: [head], str.split):
            widths = self._widths(words)
            if _total(widths) <= width:
                return [self._rich(range(len(widths)), widths)]
        room = max(8, width // (2 * self.labels) - GAP)  # labels leave half of the screen to figures
        widths[: self.labels] = [min(one, room) for one in widths[: self.labels]]
        parts: list[list[int]] = [[*range(self.labels)]]
        for i in range(self.labels, len(widths)):
            if len(parts[-1]) > self.labels and _total([widths[j] for j in (*parts[-1], i)]) > width:
                parts.append([*range(self.labels)])
            parts[-1].append(i)
        return [self._rich(part, widths) for part in parts]

    def _widths(self, words: Callable[[str], list[str]]) -> list[int]:
        """How wide the columns are on a terminal if heads may be folded between `words`."""
        from rich.cells import cell_len

        columns = [[row[i] for row in self.rows] for i in range(len(self.heads))]
        return [
            max(map(cell_len, [*words(head), *column]), default=0)
            for head, column in zip(self.heads, columns, strict=True)
        ]

    def _rich(self, columns: Sequence[int], widths: Sequence[int], no_wrap: bool = False) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for i in columns:
            side: Any = "right" if self.align[i] == "r" else "left"
            overflow: Any = "ellipsis" if no_wrap else "fold"
            table.add_column(Text(self.heads[i]), justify=side, width=widths[i], no_wrap=no_wrap, overflow=overflow)
        for row, style in zip(self.rows, self._styles, strict=True):
            table.add_row(*(Text(isolated(row[i])) for i in columns), style=style)
        return table


@dataclass(frozen=True)
class _Trimmed:
    """A table without the blanks that rich puts at the end of its lines."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import Segment

        for line in console.render_lines(self.table, options, pad=False):
            while line and not line[-1].text.strip():
                line.pop()
            if line:
                text, style, control = line.pop()
                yield from line
                yield Segment(text.rstrip(), style, control)
            yield Segment.line()


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
