"""Streams a split as text, however large it is, for measures of overlap and for descriptions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from seqlab.data.batch import Ragged

CHUNK = 4096
"""Examples per part."""


class Passages(NamedTuple):
    """A part of a split: token ids of passages (one side of an example, a document), and the sentences in them.

    A passage has neither BOS and EOS nor filler. The numbers of sentences and of passages may differ.
    """

    tokens: Ragged
    sentences: Sequence[str]


def passages_of(
    ids: Callable[[int], np.ndarray], count: int, text: Callable[[int], str], left_out: Collection[int]
) -> Iterator[Passages]:
    """One side of `count` examples, `CHUNK` at a time: every row is a passage of one sentence, `text(row)`.

    The ids in `left_out` are removed.
    """
    marks = list(left_out)
    for start in range(0, count, CHUNK):
        rows = range(start, min(start + CHUNK, count))
        sequences = [ids(row) for row in rows]
        offsets = np.cumsum([0, *map(len, sequences)])
        yield passages_between(Ragged(np.concatenate(sequences), offsets), [text(row) for row in rows], marks)


def passages_between(tokens: Ragged, texts: Sequence[str], left_out: Sequence[int]) -> Passages:
    """Passages of tokens in memory, of one sentence each; the ids in `left_out` are removed."""
    values = tokens.values[:]
    kept = ~np.isin(values, left_out)
    before = np.concatenate([[0], np.cumsum(kept)])  # how many ids before each position are kept
    return Passages(Ragged(values[kept], before[tokens.offsets[:]]), texts)
