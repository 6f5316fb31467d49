"""Cleaning: removes from documents what a model should not learn from, and counts what was dropped and why."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from tqdm import tqdm

from seqlab.text.documents.collection import Collection, Document
from seqlab.text.documents.steps import Tally, paragraphs, tidied, without_fences, without_front_matter, without_markup
from seqlab.text.forms import normalised

SHORTEST_LINE = 4  # words; shorter lines (headings, formulas) repeat without being boilerplate
SHORTEST_PARAGRAPH = 80  # characters; shorter paragraphs repeat in any prose
SHINGLE = 5  # words
PERMUTATIONS = 128
TOGETHER = 256  # shingles that are hashed at a time
_SALTS = np.random.default_rng(1).integers(2**64, size=PERMUTATIONS, dtype=np.uint64)  # one a permutation


@dataclass(frozen=True)
class Cleaning:
    """Which cleaning steps are done. With all of them off, every text stays exactly as it was read.

    Args:
        normalise: composed characters, plain spaces and line ends, one blank line at most, no hyphenation.
        front_matter: drop YAML and TOML blocks at the beginning, and Project Gutenberg's header and licence.
        code_fences: drop fenced code (also code from notebooks, web pages and Word, which readers put in fences).
        markup: drop comments, targets of links and images, and cross-references such as :numref:`sec_x`.
        boilerplate: drop lines of four words or more that appear in at least this many documents.
        duplicates: drop documents and paragraphs (of 80 characters or more) that appeared before.
        near_duplicates: drop documents whose 5-grams of words resemble those of an earlier one as much as this
            (Jaccard similarity, estimated by MinHash, Broder 1997).
    """

    normalise: bool = True
    front_matter: bool = True
    code_fences: bool = True
    markup: bool = True
    boilerplate: int | None = None
    duplicates: bool = True
    near_duplicates: float | None = None

    def __post_init__(self) -> None:
        if self.boilerplate is not None and self.boilerplate < 2:
            raise ValueError(f"boilerplate must be at least 2 documents, but is {self.boilerplate}")
        if self.near_duplicates is not None and not 0 < self.near_duplicates <= 1:
            raise ValueError(f"near_duplicates must be above 0 and at most 1, but is {self.near_duplicates}")


class Cleaned:
    """The cleaned documents of a collection; can be iterated over repeatedly.

    Yields each document's name and an iterator over its paragraphs, which must be consumed before advancing to the
    next document. Paragraphs keep their line ends and the blank lines after them, so joined they are the text.
    Duplicate documents are left out; a document of which nothing is left has no paragraphs. `tally` counts what the
    last iteration dropped.
    """

    def __init__(self, collection: Collection, cleaning: Cleaning) -> None:
        self.collection, self.cleaning = collection, cleaning
        self.tally = Tally()
        self.documents = self.characters = 0
        self._boilerplate: frozenset[int] | None = None
        self._resembling: frozenset[str] | None = None

    def __iter__(self) -> Iterator[tuple[str, Iterator[str]]]:
        resembling = self._find_resembling()
        self.tally = Tally()
        self.documents = self.characters = 0
        texts: set[str] = set()
        seen: set[int] = set()
        for document in self.collection.documents:
            if self.cleaning.duplicates and document.sha256 in texts:
                self.tally.add("duplicate documents", document.characters)
            elif document.name in resembling:
                self.tally.add("near-duplicate documents", document.characters)
            else:
                texts.add(document.sha256)
                self.documents += 1
                yield document.name, self._counted(self._without_duplicates(document, seen))

    def report(self) -> str:
        """What the last full iteration kept and dropped, one line per step."""
        collection, tally = self.collection, self.tally
        total = len(collection.documents)
        lines = [
            f"{self.documents:,} of {total:,} document{'s' * (total != 1)},"
            f" {self.characters:,} of {collection.characters:,} characters"
        ]
        for step in sorted(tally.times, key=lambda step: -tally.characters[step]):
            lines.append(f"dropped {tally.times[step]:,} {step} ({tally.characters[step]:,} characters)")
        return "\n".join(lines)

    def _counted(self, paragraphs: Iterable[str]) -> Iterator[str]:
        for paragraph in paragraphs:
            self.characters += len(paragraph)
            yield paragraph

    def _without_duplicates(self, document: Document, seen: set[int]) -> Iterator[str]:
        for paragraph in self._paragraphs(document, self.tally):
            if self.cleaning.duplicates and len(paragraph.strip()) >= SHORTEST_PARAGRAPH:
                key = _hash(" ".join(paragraph.split()))
                if key in seen:
                    self.tally.add("duplicate paragraphs", len(paragraph))
                    continue
                seen.add(key)
            yield paragraph

    def _paragraphs(self, document: Document, tally: Tally) -> Iterator[str]:
        lines = self._lines(document, tally)
        if self.cleaning.boilerplate is not None:
            lines = _without(lines, self._find_boilerplate(), tally)
        if self.cleaning.normalise:
            lines = tidied(lines)
        parts = paragraphs(lines)
        return without_markup(parts, tally) if self.cleaning.markup else parts

    def _lines(self, document: Document, tally: Tally) -> Iterator[str]:
        return chain.from_iterable(self._part_lines(part, tally) for part in document.parts())

    def _part_lines(self, lines: Iterator[str], tally: Tally) -> Iterator[str]:
        if self.cleaning.normalise:
            lines = normalised(lines)
        if self.cleaning.front_matter:
            lines = without_front_matter(lines, tally)
        return without_fences(lines, tally) if self.cleaning.code_fences else lines

    def _find_boilerplate(self) -> frozenset[int]:
        """Hashes of the lines that appear in many documents. Takes eight bytes of memory per line."""
        if self._boilerplate is None:
            hashes = array("Q")
            for document in self._progress("looking for boilerplate"):
                lines = (_line_hash(line) for line in self._lines(document, Tally()))
                document_hashes = np.fromiter((key for key in lines if key is not None), np.uint64)
                hashes.frombytes(np.unique(document_hashes).tobytes())
            keys, counts = np.unique(np.frombuffer(hashes, np.uint64), return_counts=True)
            self._boilerplate = frozenset(keys[counts >= (self.cleaning.boilerplate or 0)].tolist())
        return self._boilerplate

    def _find_resembling(self) -> frozenset[str]:
        """Names of the documents that resemble an earlier one. Keeps one signature per document in memory."""
        if self.cleaning.near_duplicates is None:
            return frozenset()
        if self._resembling is None:
            signatures = np.empty((len(self.collection.documents), PERMUTATIONS), np.uint64)
            kept, resembling = 0, set[str]()
            for document in self._progress("looking for near duplicates"):
                signature = _signature(_shingles(paragraph) for paragraph in self._paragraphs(document, Tally()))
                if signature is None:  # no paragraph is as long as a shingle
                    continue
                if ((signatures[:kept] == signature).mean(axis=1) >= self.cleaning.near_duplicates).any():
                    resembling.add(document.name)
                else:
                    signatures[kept] = signature
                    kept += 1
            self._resembling = frozenset(resembling)
        return self._resembling

    def _progress(self, what: str) -> Iterable[Document]:
        return tqdm(self.collection.documents, what, unit="file", delay=2, leave=False, disable=None)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _line_hash(line: str) -> int | None:
    words = line.split()
    return _hash(" ".join(words)) if len(re.findall(r"\w+", line)) >= SHORTEST_LINE else None


def _without(lines: Iterable[str], boilerplate: frozenset[int], tally: Tally) -> Iterator[str]:
    for line in lines:
        if _line_hash(line) in boilerplate:
            tally.add("boilerplate lines", len(line))
        else:
            yield line


def _shingles(paragraph: str) -> list[bytes]:
    words = paragraph.lower().split()
    return [" ".join(words[i : i + SHINGLE]).encode() for i in range(len(words) - SHINGLE + 1)]


def _signature(parts: Iterable[list[bytes]]) -> np.ndarray | None:
    """The MinHash signature (PERMUTATIONS,) of the set of all shingles; None if there are none.

    At each index, the signatures of two sets are equal with the probability of their Jaccard similarity (Broder 1997).
    """
    least = np.full(PERMUTATIONS, np.iinfo(np.uint64).max, np.uint64)
    is_empty = True
    for shingles in parts:
        for start in range(0, len(shingles), TOGETHER):
            digests = [hashlib.blake2b(one, digest_size=8).digest() for one in shingles[start : start + TOGETHER]]
            hashes = np.frombuffer(b"".join(digests), "<u8")[:, None] ^ _SALTS
            mixed = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)  # the finaliser of splitmix64
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            np.minimum(least, (mixed ^ (mixed >> np.uint64(31))).min(axis=0), out=least)
            is_empty = False
    return None if is_empty else least
