"""Which columns of a table are the source and its targets: chosen by name or number, or guessed from the first rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hydra_pruning_sweeper.messages import isolated
from seqlab.errors import InputError
from seqlab.text.languages import language_of
from seqlab.text.row_files import RowFile, TextRows, no_column

Column = str | int
"""A column's name, or its number, counted from 1."""

SOURCES = (
    "source",
    "src",
    "question",
    "input",
    "prompt",
    "query",
    "instruction",
    "front",
    "text",
    "sentence",
    "sentence1",
)
TARGETS = ("target", "tgt", "answer", "output", "response", "completion", "translation", "back", "label", "sentence2")
"""Names by which a source and a target are recognised, whatever their case."""
NO_LANGUAGES = ("id", "no")
"""Codes of languages that, as the name of a column, mean something else."""
SHOWN = 24
"""How many characters of a value a message shows."""
CHOOSE = "Type data.source_column=NAME data.target_column=NAME"
_NUMBER = re.compile(r"\d+")
_CODE = re.compile(r"[a-z]{2,4}(?:_\w+)?|\\N")
_TATOEBA = {
    (_NUMBER, _CODE, None, _NUMBER, _CODE, None): (2, 5),
    (_NUMBER, None, _NUMBER, None): (1, 3),
}
"""Sentence pairs as Tatoeba exports them: the patterns of their columns, and where the sentences are."""


@dataclass(frozen=True)
class ColumnChoice:
    """Which columns are to be read; none at all: guessed for each file.

    Attributes:
        source: the column of the source.
        targets: those of its targets. The first is trained on; in evaluation all are references.

    Raises:
        ValueError: only one side is given, or a number is below 1.
    """

    source: Column | None = None
    targets: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        if (self.source is None) != (not self.targets):
            missing, given = ("target", "source") if self.source is not None else ("source", "target")
            raise ValueError(f"{missing}_column must be set as {given}_column is; without both, columns are guessed")
        for column in self._all():
            if isinstance(column, int) and column < 1:
                raise ValueError(f"columns must be names, or numbers from 1, but one is {column}")

    def _all(self) -> tuple[Column, ...]:
        return () if self.source is None else (self.source, *self.targets)

    @property
    def languages(self) -> tuple[str | None, str | None]:
        """The languages of source and target, where they are the names of the columns ("de", "translation.de")."""
        names = [str(one).rpartition(".")[2] for one in self._all()[:2]] or ["", ""]
        source, target = (language_of(name) if _is_language(name) else None for name in names)
        return source, target

    def within(self, table: RowFile) -> tuple[list[int], str | None]:
        """The numbers (from 0) of source and targets in a table, and a line that says how they were guessed, if so.

        If a column is chosen by its name, the first row of a text file is taken for names. If it has names although
        columns are chosen by numbers, it is left out, and the line says that.

        Raises:
            InputError: a column is not there, or there is nothing to guess from.
        """
        if self.source is None:
            return _guessed(table)
        line = None
        if table.names is None and isinstance(table, TextRows):
            if any(isinstance(one, str) for one in self._all()):
                table.take_names()
            elif (named := _named_columns(table.head())) is not None:
                names = table.take_names()
                line = f"the first line has no pair, but names: {', '.join(repr(names[i]) for i in named)}"
        return [_index(column, table) for column in self._all()], line


DECK = ColumnChoice(1, (2,))
"""The columns of a deck for Anki."""


def _index(column: Column, table: RowFile) -> int:
    if isinstance(column, int):
        if table.names is not None and column > len(table.names):
            raise InputError(f"{table.name}: no column {column}; there are {len(table.names)}")
        return column - 1
    names = table.names or []
    where, numbers = table.name, ""
    if isinstance(table, TextRows):
        where, numbers = f"{table.name}:1", "; where this line has no names, columns are numbers: 1, 2"
    if column not in names:
        raise InputError(f"{where}: {no_column(column, names)}{numbers}")
    if names.count(column) > 1:
        raise InputError(f"{where}: {names.count(column)} columns are called {column!r}")
    return names.index(column)


def _guessed(table: RowFile) -> tuple[list[int], str | None]:
    """Source and target, from names, from the shape of Tatoeba's exports, or because there are no others."""
    if table.names is None:
        assert isinstance(table, TextRows)
        head = table.head()
        if _named_columns(head) is None:
            return _guessed_by_shape(table.name, head)
    names = table.take_names() if isinstance(table, TextRows) and table.names is None else table.names or []
    chosen = _known_names(names) or ([0, 1] if len(names) == 2 else None)
    labels = [repr(name) for name in names]
    if chosen is None:
        shown = f"{', '.join(labels[:20])}{' …' if len(labels) > 20 else ''}"
        raise InputError(f"{table.name}: which column is the source, which the target? {CHOOSE}; there are {shown}")
    return chosen, _line(chosen, labels, "guessed; data.source_column=NAME changes it")


def _named_columns(head: list[list[str]]) -> list[int] | None:
    """The columns of source and target, if the first row has their names; None if it is a row like the others."""
    if not head or _tatoeba_columns(head):
        return None
    known = _known_names([field.strip() for field in head[0]])
    return None if known is None or _come_back(known, head) else known


def _known_names(names: Sequence[str]) -> list[int] | None:
    """The columns whose names are those of a source and a target, or of two languages."""
    last = [re.sub(r"[ _-]", "", name.rpartition(".")[2].lower()) for name in names]
    sides = [[i for known in side for i, name in enumerate(last) if name == known] for side in (SOURCES, TARGETS)]
    if all(sides):
        return [side[0] for side in sides]
    languages = [i for i, name in enumerate(last) if _is_language(name) and names[i].lower() not in NO_LANGUAGES]
    return languages if len(languages) == 2 else None


def _is_language(name: str) -> bool:
    return name.isalpha() and len(name) <= 3 and language_of(name) is not None


def _come_back(columns: Sequence[int], head: list[list[str]]) -> bool:
    """Whether a field of the first row is also that of a later one, as names of columns are not."""
    return any(row[i] == head[0][i] for row in head[1:] for i in columns if i < len(row))


def _tatoeba_columns(head: list[list[str]]) -> list[int] | None:
    """Where source and target are, if the rows have the shape of Tatoeba's exports."""
    for patterns, chosen in _TATOEBA.items():
        if all(_fits(row, patterns) for row in head):
            return list(chosen)
    return None


def _guessed_by_shape(name: str, head: list[list[str]]) -> tuple[list[int], str | None]:
    """Columns of a text file without names."""
    labels = [f"{i} ({_shown(field)})" for i, field in enumerate(head[0], 1)]
    if (chosen := _tatoeba_columns(head)) is not None:
        return chosen, _line(chosen, labels, "guessed, as Tatoeba exports pairs")
    if len(head[0]) > 3:
        raise InputError(
            f"{name}:1: which of {len(head[0])} columns is the source, which the target? {CHOOSE}, or by numbers; the"
            f" first line is {', '.join(labels[:8])}"
        )
    if len(head[0]) < 2:
        return [0, 1], None  # reading it says what is wrong
    return [0, 1], _line([0, 1], labels, "guessed, no names in the first line; data.source_column=N changes it")


def _fits(row: Sequence[str], patterns: Sequence[re.Pattern[str] | None]) -> bool:
    return len(row) == len(patterns) and all(
        pattern is None or pattern.fullmatch(field) for field, pattern in zip(row, patterns, strict=True)
    )


def _line(chosen: Sequence[int], labels: Sequence[str], how: str) -> str:
    source, target = (labels[i] for i in chosen)
    rest = [label for i, label in enumerate(labels) if i not in chosen]
    left_out = f"; not read: {', '.join(rest[:5])}{' …' if len(rest) > 5 else ''}" if rest else ""
    return f"columns: source = {source}, target = {target} ({how}){left_out}"


def _shown(field: str) -> str:
    return isolated(repr(field if len(field) <= SHOWN else f"{field[:SHOWN]}…"))
