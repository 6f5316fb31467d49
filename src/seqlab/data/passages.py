"""A split as text that streams past: what measures of overlap and descriptions read, however large it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from seqlab.data.batch import Ragged

CHUNK = 4096
"""Examples that are handed on together."""


class Passages(NamedTuple):
    """A part of a split: token ids of whole passages (one side of an example, a document), and the sentences in them.

    A passage has no frame and no filler. There need not be as many sentences as passages.
    """

    tokens: Ragged
    sentences: Sequence[str]


def passages_of(
    ids: Callable[[int], np.ndarray], count: int, text: Callable[[int], str], left_out: Collection[int]
) -> Iterator[Passages]:
    """One side of `count` examples, a chunk at a time: every row is a passage of one sentence, `text(row)`.

    The ids `left_out` stand in no passage.
    """
    marks = list(left_out)
    for start in range(0, count, CHUNK):
        rows = range(start, min(start + CHUNK, count))
        sequences = [ids(row) for row in rows]
        values = np.concatenate(sequences)
        kept = ~np.isin(values, marks)
        before = np.concatenate([[0], np.cumsum(kept)])  # ids that are kept before each
        ends = np.cumsum([0, *map(len, sequences)])
        yield Passages(Ragged(values[kept], before[ends]), [text(row) for row in rows])
