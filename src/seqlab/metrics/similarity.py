"""How near the nearest of many texts is, for each of a few.

Two texts are as similar as the sets of their shingles, five characters in a row, the ends counting as spaces: the
Jaccard similarity, what both have over what either has (Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, 3.2).
It is computed, not estimated as MinHash does: over an inverted index of the few this is the faster way, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqlab.metrics.hashes import hashed_windows

SHINGLE = 5
BATCH = 64
"""Texts that are compared together: the counts of what they share stay in the processor's cache."""
_BITS = 40  # of a shingle's code; the row stands above them, so that sorting sorts by row, then by code
_POSTINGS = 1 << 22  # looked up together: bounds the memory


@dataclass(frozen=True)
class Shingles:
    """The sets of shingles of at most `BATCH` texts: `codes[i]` is one of text `rows[i]`, which has `sizes[row]`."""

    rows: np.ndarray
    codes: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str]) -> Shingles:
        """Cuts texts up; one that is too short for a shingle is filled with spaces."""
        padded = [f" {text} ".ljust(SHINGLE) for text in texts]
        characters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype="<u4")
        offsets = np.cumsum([0, *map(len, padded)])
        hashes, rows = hashed_windows(characters, offsets, SHINGLE)
        keys = np.sort((rows.astype(np.uint64) << np.uint64(_BITS)) | (hashes >> np.uint64(64 - _BITS)))
        keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])] if len(keys) else keys
        rows = (keys >> np.uint64(_BITS)).astype(np.int64)
        return cls(rows, keys & np.uint64((1 << _BITS) - 1), np.bincount(rows, minlength=len(texts)))


class Nearest:
    """Remembers, for each of `texts`, the similarity of the nearest text that has come past: (n,), 0 without any."""

    def __init__(self, texts: Sequence[str]) -> None:
        batches = [Shingles.of(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        codes = np.concatenate([np.empty(0, np.uint64), *(batch.codes for batch in batches)])
        rows = np.concatenate([np.empty(0, np.int64), *(b.rows + BATCH * i for i, b in enumerate(batches))])
        self._sizes = np.concatenate([np.empty(0, np.int64), *(batch.sizes for batch in batches)])
        # The inverted index: the texts with code i are `_texts[_starts[i]:_starts[i + 1]]`.
        order = np.argsort(codes, kind="stable")
        self._codes, counts = np.unique(codes, return_counts=True)
        self._texts, self._starts = rows[order], np.concatenate([[0], np.cumsum(counts)])
        self.similarities = np.zeros(len(texts))

    def see(self, batch: Shingles) -> None:
        """Takes note of a batch of texts."""
        if not len(self._codes) or not len(batch.codes):
            return
        at = np.searchsorted(self._codes, batch.codes).clip(max=len(self._codes) - 1)
        known = self._codes[at] == batch.codes
        at, rows = at[known], batch.rows[known]
        shared = np.zeros(len(batch.sizes) * len(self._sizes), dtype=np.int64)  # a row of all texts for each of batch
        counts = self._starts[at + 1] - self._starts[at]
        cuts = np.flatnonzero(np.diff(np.cumsum(counts) // _POSTINGS)) + 1
        for own, row, count in zip(*(np.split(part, cuts) for part in (at, rows, counts)), strict=True):
            first = self._starts[own] - np.cumsum(count) + count
            texts = self._texts[np.repeat(first, count) + np.arange(count.sum())]
            shared += np.bincount(texts + np.repeat(row * len(self._sizes), count), minlength=len(shared))
        both = shared.reshape(len(batch.sizes), len(self._sizes))
        either = batch.sizes[:, None] + self._sizes - both
        np.maximum(self.similarities, (both / either).max(axis=0), out=self.similarities)
