"""For each of a few texts, its similarity to the most similar of many others.

The similarity of two texts is the Jaccard similarity, |A ∩ B| / |A ∪ B|, of their sets of shingles (Leskovec, Rajaraman
& Ullman, Mining of Massive Datasets, 3.2). A shingle is five consecutive characters; a space is added at either end of
the text. The similarity is exact, not estimated by MinHash, which is slower than an inverted index over the few texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqlab.text.hashes import hashed_windows

SHINGLE = 5
BATCH = 64
"""Texts that are compared together: few enough that their counts of shared shingles fit into the CPU's cache."""
_BITS = 40  # of a shingle's code; the bits above are the row, so that sorting goes by row, then by code
_POSTINGS = 1 << 22  # postings looked up together, which bounds the memory


@dataclass(frozen=True)
class Shingles:
    """The sets of shingles of at most `BATCH` texts.

    Text `rows[i]` has the shingle `codes[i]`, and altogether `sizes[rows[i]]` shingles.
    """

    rows: np.ndarray
    codes: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str]) -> Shingles:
        """The shingles of `texts`; a text too short for one is padded with spaces."""
        padded = [f" {text} ".ljust(SHINGLE) for text in texts]
        characters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype="<u4")
        offsets = np.cumsum([0, *map(len, padded)])
        hashes, rows = hashed_windows(characters, offsets, SHINGLE)
        keys = np.sort((rows.astype(np.uint64) << np.uint64(_BITS)) | (hashes >> np.uint64(64 - _BITS)))
        keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])] if len(keys) else keys
        rows = (keys >> np.uint64(_BITS)).astype(np.int64)
        return cls(rows, keys & np.uint64((1 << _BITS) - 1), np.bincount(rows, minlength=len(texts)))


class Nearest:
    """For each of n texts, the similarity to the most similar text seen so far: `similarities`, (n,), at first 0."""

    def __init__(self, texts: Sequence[str]) -> None:
        batches = [Shingles.of(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        codes = np.concatenate([np.empty(0, np.uint64), *(batch.codes for batch in batches)])
        rows = np.concatenate([np.empty(0, np.int64), *(b.rows + BATCH * i for i, b in enumerate(batches))])
        self._sizes = np.concatenate([np.empty(0, np.int64), *(batch.sizes for batch in batches)])
        # The inverted index: the texts that contain `_codes[i]` are `_texts[_starts[i]:_starts[i + 1]]`.
        order = np.argsort(codes, kind="stable")
        self._codes, counts = np.unique(codes, return_counts=True)
        self._texts, self._starts = rows[order], np.concatenate([[0], np.cumsum(counts)])
        self.similarities = np.zeros(len(texts))

    def see(self, batch: Shingles) -> None:
        """Updates the similarities with a batch of texts."""
        if not len(self._codes) or not len(batch.codes):
            return
        at = np.searchsorted(self._codes, batch.codes).clip(max=len(self._codes) - 1)
        known = self._codes[at] == batch.codes
        at, rows = at[known], batch.rows[known]
        shared = np.zeros(len(batch.sizes) * len(self._sizes), dtype=np.int64)  # (batch, n), flattened
        counts = self._starts[at + 1] - self._starts[at]
        cuts = np.flatnonzero(np.diff(np.cumsum(counts) // _POSTINGS)) + 1
        for code, row, count in zip(*(np.split(part, cuts) for part in (at, rows, counts)), strict=True):
            first = self._starts[code] - np.cumsum(count) + count
            texts = self._texts[np.repeat(first, count) + np.arange(count.sum())]
            shared += np.bincount(texts + np.repeat(row * len(self._sizes), count), minlength=len(shared))
        both = shared.reshape(len(batch.sizes), len(self._sizes))
        either = batch.sizes[:, None] + self._sizes - both
        np.maximum(self.similarities, (both / either).max(axis=0), out=self.similarities)
