"""Documents whose texts are kept in files: the result of reading a folder, and the input of cleaning and datasets."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

from hydra_pruning_sweeper.messages import plural
from seqlab.text.documents.finding import NO_READER, Skipped

LONGEST_LINE = 1 << 16
"""Characters; longer lines are read in pieces of at most about twice as many: a file may have no line ends."""
ROW_END = "\0\n"
"""The line after each row in a file of `RowDocument`."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text that was read: its name in the folder, the UTF-8 file that caches it, its length and its hash; `replaced`
    is how many of its characters could not be read.
    """

    name: str
    path: Path
    characters: int
    sha256: str
    replaced: int = 0

    def lines(self) -> Iterator[str]:
        """The text line by line, exactly as it was read, line ends included."""
        return chain.from_iterable(self.parts())

    def parts(self) -> Iterator[Iterator[str]]:
        """The lines in parts that are cleaned of front matter and code fences by themselves: here one part.

        Each part must be consumed before advancing to the next.
        """
        yield _lines_of(self.path)


class RowDocument(Document):
    """The rows of a table as one document: each is a part, and so is the blank line after it.

    In the file, each row ends with a line end, and the line `ROW_END` stands for the blank line; no row has a NUL.
    """

    def parts(self) -> Iterator[Iterator[str]]:
        for is_end, lines in groupby(_lines_of(self.path), ROW_END.__eq__):
            yield iter(["\n"]) if is_end else lines


def _lines_of(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", newline="") as opened:
        held = ""
        while piece := opened.readline(LONGEST_LINE):
            line, held = held + piece, ""
            if len(piece) == LONGEST_LINE and not piece.endswith("\n"):
                line, held = _cut(line)
            yield line
        if held:
            yield held


def _cut(line: str) -> tuple[str, str]:
    """The beginning of a long line up to the last white space, if there is any, and the rest: no word is in two pieces,
    and no white space is at the end of one, where cleaning would drop it.
    """
    words = line.rsplit(maxsplit=1)
    kept = line.rstrip() if line[-1].isspace() else words[0] if len(words) == 2 else ""
    return (kept, line[len(kept) :]) if kept else (line, "")


@dataclass(frozen=True)
class Collection:
    """The documents of a folder, sorted by name, and the files in it that were skipped.

    `read` is the number of files that were read now; the texts of the others came from the cache.
    """

    path: Path
    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]
    read: int = 0

    @property
    def characters(self) -> int:
        """Total length of all documents."""
        return sum(document.characters for document in self.documents)

    def fingerprint(self) -> str:
        """A hash of the documents' names and texts, which identifies whatever is computed from them."""
        entries = (f"{document.name}\n{document.sha256}\n" for document in self.documents)
        return hashlib.sha256("".join(entries).encode()).hexdigest()

    def summary(self) -> str:
        """The number of documents and characters, then what was wrong with them."""
        documents = plural(len(self.documents), "document")
        return "\n".join([f"{documents}, {self.characters:,} characters ({self.read:,} read anew)", *self.troubles()])

    def troubles(self) -> list[str]:
        """A line for each file that could not be read, or only in part, with the reason."""
        unknown = Counter(entry.reason for entry in self.skipped if entry.reason.startswith(NO_READER))
        unreadable = [entry for entry in self.skipped if entry.reason not in unknown]
        lines = [f"skipped {entry.name}: {entry.reason}" for entry in unreadable]
        lines += [f"skipped {plural(count, 'file')}: {reason}" for reason, count in sorted(unknown.items())]
        damaged = [one for one in self.documents if one.replaced]
        return lines + [
            f"{one.name}: {plural(one.replaced, 'character')} cannot be read, and became �" for one in damaged
        ]
