"""Chooses which part of a text is held out. Positions are characters from the beginning of the first document."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from operator import itemgetter

import numpy as np

from seqlab.errors import InputError
from seqlab.text.documents import Document

Units = Callable[[Document], Iterable[tuple[int, str]]]
"""Splits a document into units (sentences, for example), each with the position in the document where it begins."""


def lines(document: Document) -> Iterator[tuple[int, str]]:
    """The lines of a document as they are, line ends included, with their positions."""
    position = 0
    for line in document.lines():
        yield position, line
        position += len(line)


def by_block(documents: Sequence[Document], share: float, block: int, seed: int) -> list[int]:
    """Edges of a random share of the blocks of `block` characters.

    Raises:
        InputError: there are fewer than two blocks.
    """
    characters = sum(document.characters for document in documents)
    blocks = -(-characters // block)
    if blocks < 2:
        raise InputError(f"data.block must be below the {characters:,} characters of the text, but is {block:,}")
    chosen = np.random.default_rng(seed).permutation(blocks)[: _within(round(share * blocks), blocks)]
    return [edge for start in sorted((chosen * block).tolist()) for edge in (start, start + block)]


def by_document(documents: Sequence[Document], share: float, seed: int) -> list[int]:
    """Edges of random documents that have about this share of all characters.

    Raises:
        InputError: there are fewer than two documents.
    """
    if len(documents) < 2:
        raise InputError("data.split=document needs at least two documents, but there is one; use data.split=block")
    lengths = np.array([document.characters for document in documents])
    order = np.random.default_rng(seed).permutation(len(documents))
    excess = np.abs(np.cumsum(lengths[order]) - share * lengths.sum())
    chosen = np.sort(order[: _within(int(excess.argmin()) + 1, len(documents))])
    ends = np.cumsum(lengths)
    return np.stack([ends[chosen] - lengths[chosen], ends[chosen]], axis=1).flatten().tolist()


def at_the_end(documents: Sequence[Document], share: float) -> list[int]:
    """Edges of the last part of the text."""
    characters = sum(document.characters for document in documents)
    return [int((1 - share) * characters), characters]


def _within(count: int, of: int) -> int:
    return min(max(1, count), of - 1)


class Parts:
    """Documents in two parts, one of them held out.

    Args:
        edges: positions where the held-out part begins, ends, begins again …; a unit belongs to the part in which it
            begins.
        units: splits a document into units.
        exact: cut units at the edges.
    """

    def __init__(self, documents: Sequence[Document], edges: Sequence[int], units: Units, exact: bool = False) -> None:
        self._documents, self._edges, self._units, self._exact = documents, edges, units, exact
        self._ends = list(accumulate(document.characters for document in documents))

    def runs(self, held_out: bool, order: Iterable[int]) -> Iterator[Iterator[str]]:
        """The units of one part, in runs without gaps; `order` is the order of the documents.

        Each run must be consumed before advancing to the next.
        """
        for index in order:
            start, end = self._ends[index] - self._documents[index].characters, self._ends[index]
            if self._edges_up_to(start) == self._edges_up_to(end - 1) and self._is_held_out(start) != held_out:
                continue  # the whole document is in the other part
            for held, run in groupby(self._marked(index, start), itemgetter(0)):
                if held == held_out:
                    yield map(itemgetter(1), run)

    def _marked(self, index: int, start: int) -> Iterator[tuple[bool, str]]:
        """The units of a document, and whether they are held out."""
        for inside, text in self._units(self._documents[index]):
            position = start + inside
            while self._exact and (edge := self._next_edge(position)) < position + len(text):
                yield self._is_held_out(position), text[: edge - position]
                position, text = edge, text[edge - position :]
            yield self._is_held_out(position), text

    def _edges_up_to(self, position: int) -> int:
        return bisect_right(self._edges, position)

    def _is_held_out(self, position: int) -> bool:
        return self._edges_up_to(position) % 2 == 1

    def _next_edge(self, position: int) -> int:
        passed = self._edges_up_to(position)
        return self._edges[passed] if passed < len(self._edges) else self._ends[-1]
