"""Sentence pairs from the columns of tables: files of rows, or data sets of a library."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from seqlab.data.split_pairs import SplitPairs
from seqlab.text.column_choice import Column, ColumnChoice
from seqlab.text.pairs import Pair, pairs_of
from seqlab.text.row_files import RowFile
from seqlab.text.tokenizers import Fit

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What splits are called, and which of ours each is."""
Tables = Mapping[str, Sequence[Callable[[], RowFile]]]
"""What opens the tables of each split."""


class ColumnPairs(SplitPairs):
    """Base of datasets of pairs in tables. A subclass implements `tables` and `content`.

    Args:
        source_column: the source's column: its name ("translation.de" within a structure), or its number from 1 in a
            file without names. None: guessed.
        target_column: the target's column, or a list of columns: the first is trained on, all are references.

    Raises:
        ValueError: one column without the other, shares or counts out of range.
        InputError: a table cannot be read, or nothing is left to train on.
    """

    def __init__(
        self,
        tokenizer: Fit,
        source_column: Column | None = None,
        target_column: Column | Sequence[Column] | None = None,
        **selection: Any,
    ) -> None:
        super().__init__(tokenizer, **selection)
        targets = (target_column,) if isinstance(target_column, str | int) else tuple(target_column or ())
        self.columns = ColumnChoice(source_column, targets)

    def named_languages(self, source: str | None, target: str | None) -> None:
        """Takes languages that names (of columns, of files) tell, where none are set."""
        self.source_language, self.target_language = self.source_language or source, self.target_language or target

    @abstractmethod
    def tables(self) -> Tables:
        """The tables of each split; val and test may be missing."""

    def pairs(self) -> dict[str, Iterator[Pair]]:
        return {split: self._pairs(tables) for split, tables in self.tables().items()}

    def _pairs(self, tables: Sequence[Callable[[], RowFile]]) -> Iterator[Pair]:
        for opened in tables:
            pairs, line = pairs_of(opened(), self.columns)
            if line is not None and line not in self.reading_remarks:
                self.reading_remarks.append(line)
            yield from pairs
