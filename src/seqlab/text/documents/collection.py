"""Documents whose text lies in files: what reading a folder gives, and what cleaning and datasets go through."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seqlab.text.documents.finding import NO_READER, Skipped

LONGEST_LINE = 1 << 16  # characters; a file without line ends comes in pieces, too


@dataclass(frozen=True, slots=True)
class Document:
    """A text that was read: its name in the folder, where it is kept (UTF-8), its length and the hash of its text."""

    name: str
    path: Path
    characters: int
    sha256: str

    def lines(self) -> Iterator[str]:
        """The text line by line, as it was read, line ends included: joined they are the text."""
        with self.path.open(encoding="utf-8", newline="") as file:
            while line := file.readline(LONGEST_LINE):
                yield line


@dataclass(frozen=True)
class Collection:
    """The documents of a folder, sorted by name, and the files in it that are none.

    `read` is how many files were read this time; the texts of the others were there already.
    """

    path: Path
    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]
    read: int = 0

    @property
    def characters(self) -> int:
        """Length of all documents together."""
        return sum(document.characters for document in self.documents)

    def fingerprint(self) -> str:
        """A hash of the documents' names and texts: the key to whatever is computed from them."""
        entries = (f"{document.name}\n{document.sha256}\n" for document in self.documents)
        return hashlib.sha256("".join(entries).encode()).hexdigest()

    def summary(self) -> str:
        """How much was found; then a line for each file that could not be read, with its reason."""
        count = len(self.documents)
        lines = [f"{count:,} document{'s' * (count != 1)}, {self.characters:,} characters ({self.read:,} read anew)"]
        unknown = Counter(entry.reason for entry in self.skipped if entry.reason.startswith(NO_READER))
        unreadable = [entry for entry in self.skipped if entry.reason not in unknown]
        lines += [f"skipped {entry.name}: {entry.reason}" for entry in unreadable]
        lines += [f"skipped {count:,} file{'s' * (count > 1)}: {reason}" for reason, count in sorted(unknown.items())]
        return "\n".join(lines)
