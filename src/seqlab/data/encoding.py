"""Texts become a stream of token ids: the marks between them, and counts of what the ids stand for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seqlab.data.batch import Boundaries
from seqlab.data.token_memmap import ShardWriter
from seqlab.special_tokens import BOS, EOS, UNK
from seqlab.text.tokenizers import Tokenizer


@dataclass
class Counts:
    """What a stream stands for.

    Attributes:
        units: sentences; lines where boundaries are others than sentences.
        bytes: of the text in UTF-8, its case as it was, that is known to the tokenizer. Marks have none, but that at
            the end of a sentence stands for a line end.
        unknown: ids that are UNK.
    """

    units: int = 0
    bytes: int = 0
    unknown: int = 0

    def add(self, tokenizer: Tokenizer, text: str, ids: list[int]) -> None:
        """Counts a text and its ids."""
        self.units += 1
        if unknown := ids.count(UNK):
            self.unknown += unknown
            text = tokenizer.decode(i for i in ids if i != UNK)
        self.bytes += len(text.encode())


def write_stream(folder: Path, runs: Iterable[Iterable[str]], tokenizer: Tokenizer, boundaries: Boundaries) -> Counts:
    """Writes texts into a folder, for `Stream` to read; a stream begins with BOS, so that its first token is asked for.

    Args:
        runs: texts in which each unit goes on from the one before it.
        boundaries: BOS and EOS around each unit, around each run, or none. In the last case a blank line stands
            between runs; text is otherwise kept to the byte.
    """
    counts = Counts()
    with ShardWriter(folder, tokenizer.size) as writer:
        if boundaries == "sentence":
            for unit in (unit for run in runs for unit in run):
                counts.add(tokenizer, unit, ids := tokenizer.encode(unit))
                counts.bytes += 1
                writer.add([BOS, *ids, EOS])
        elif boundaries == "document":
            for run in runs:
                _write_text(writer, run, tokenizer, counts)
                writer.add([EOS])
        else:
            _write_text(writer, _joined(runs), tokenizer, counts)
    return counts


def _write_text(writer: ShardWriter, units: Iterable[str], tokenizer: Tokenizer, counts: Counts) -> None:
    """Writes BOS and units that follow one another."""
    writer.add([BOS])
    encode = tokenizer.encode
    for unit in units:
        counts.add(tokenizer, unit, ids := encode(unit))
        writer.add(ids)
        encode = tokenizer.continued


def _joined(runs: Iterable[Iterable[str]]) -> Iterator[str]:
    """All units, and a blank line between runs unless one ends so."""
    end = "\n\n"
    for run in runs:
        between = "\n" * (2 - len(end) + len(end.rstrip("\n")))
        for unit in run:
            yield between + unit
            between, end = "", (end + unit)[-2:]
