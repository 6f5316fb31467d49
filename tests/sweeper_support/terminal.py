"""The display of a sweep on a terminal, and what then stands on that."""

import io
import re

from rich.console import Console

from hydra_pruning_sweeper.views import live_table
from hydra_pruning_sweeper.views.live_table import LiveTable

PIECE = re.compile(r"\x1b\[(\d+)A|(\x1b\[2K)|\x1b\[[?\d;]*[a-zA-Z]|(\r)|(\n)|([^\x1b\r\n]+)")
"""A piece of what rich writes to a terminal: cursor up, erase the line, any other command, the ends of lines, text."""


def table_on_terminal(monkeypatch, sweep, names=()):
    """A sweep's `LiveTable` on a terminal of 120 columns; its `shown()` gives the lines that stand there."""
    file = io.StringIO()
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(live_table, "Console", lambda **how: Console(file=file, force_terminal=True, width=120, **how))
    screen = LiveTable(sweep, names, terminal=True)
    screen.shown = lambda: lines_on_terminal(file.getvalue())
    return screen


def lines_on_terminal(written):
    """The lines that a terminal shows after all that was `written` to it, without blanks at their ends."""
    lines, row, column = [""], 0, 0
    for up, erase, start, down, text in PIECE.findall(written):
        if up:
            row -= int(up)
        elif erase:
            lines[row] = ""
        elif start or down:
            row, column = row + bool(down), 0
            lines += [""] * (row + 1 - len(lines))
        elif text:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
    return "\n".join(line.rstrip() for line in lines).rstrip().splitlines()
