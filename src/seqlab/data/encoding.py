"""Encodes texts as a stream of token ids, with BOS and EOS between them, and counts what was encoded."""

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
    """How much text a stream encodes.

    Attributes:
        units: number of sentences, or of lines if boundaries are not sentences.
        bytes: UTF-8 bytes of the text that the tokenizer knows, in its original case. BOS and EOS count nothing, but
            each sentence counts one byte for its line end.
        unknown: number of ids that are UNK.
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
    """Encodes texts into a folder that `Stream` reads. It begins with BOS, so that its first real token is a label.

    Args:
        runs: texts; within a run each unit continues the one before it.
        boundaries: BOS and EOS around each unit, around each run, or none. With none, a blank line separates runs;
            otherwise text is kept byte for byte.
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
    """Writes BOS, then units that continue one another."""
    writer.add([BOS])
    encode = tokenizer.encode
    for unit in units:
        counts.add(tokenizer, unit, ids := encode(unit))
        writer.add(ids)
        encode = tokenizer.continued


def _joined(runs: Iterable[Iterable[str]]) -> Iterator[str]:
    """All units, with a blank line between runs unless a run ends with one."""
    end = "\n\n"
    for run in runs:
        between = "\n" * (2 - len(end) + len(end.rstrip("\n")))
        for unit in run:
            yield between + unit
            between, end = "", (end + unit)[-2:]
