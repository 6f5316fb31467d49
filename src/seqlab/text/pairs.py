"""Sentence pairs, read from files of rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.errors import InputError
from seqlab.text.column_choice import DECK, ColumnChoice
from seqlab.text.forms import PAIRS, formed
from seqlab.text.row_files import RowFile, read_deck


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and its translation, both in Unicode's NFC, with further translations that are as good."""

    source: str
    target: str
    alternatives: tuple[str, ...] = ()


def read_pairs(path: Path) -> list[Pair]:
    """All pairs of a deck for Anki: a `.txt` or `.tsv` file, plain or compressed, or such a file in a `.zip`.

    A file that Anki itself exported (`#separator:` in the first lines) is read, too: the first two fields of each note
    are the pair. Blank lines at the end are ignored.

    Raises:
        InputError: the file is missing, empty, binary or not UTF-8; an archive is broken or unpacks to too much; a
            line does not have two or three columns, or one side is empty. The message names the file and the line.
    """
    return list(pairs_of(read_deck(path), DECK)[0])


def pairs_of(table: RowFile, columns: ColumnChoice) -> tuple[Iterator[Pair], str | None]:
    """The pairs of rows, read as they are asked for, and a line that says how the columns were guessed, if so.

    Raises:
        InputError: a row is not as the others are, a column is not there, or a source or its first target is empty. The
            message names the file and the line.
    """
    chosen, line = columns.within(table)
    return _pairs(table, chosen), line


def _pairs(table: RowFile, chosen: list[int]) -> Iterator[Pair]:
    empty = True
    for where, values in table.rows(chosen):
        source, target, *others = (_text(value, where) for value in values)
        if not source or not target:
            side = "target" if source else "source"
            raise InputError(f"{where}: the {side} is empty; expected a text on either side")
        empty = False
        yield Pair(source, target, tuple(filter(None, others)))
    if empty:
        raise InputError(f"{table.name}: no rows; expected sentence pairs")


def _text(value: Any, where: str) -> str:
    """A value as text: numbers and truth values as JSON writes them, a missing one as nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return formed(value, PAIRS)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    raise InputError(f"{where}: {str(value)[:40]!r} is a {type(value).__name__}; expected text")
