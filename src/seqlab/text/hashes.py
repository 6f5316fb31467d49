"""64-bit hashes of texts and of n-grams of ids, vectorised.

Two different texts have the same hash with a probability of about 2⁻⁶⁰. If a million texts are compared with a billion
others, the probability that any two are confused is about 1 in 1,000.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

MULTIPLIER = np.uint64(0xD1342543DE82EF95)


def folded(text: str) -> str:
    """`text` case-folded and with single spaces, so that texts which differ in nothing else compare equal."""
    return " ".join(text.casefold().split())


def hashed_texts(texts: Sequence[str]) -> np.ndarray:
    """A hash of each text: (n,)."""
    digests = b"".join(hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=8).digest() for t in texts)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def hashed_windows(values: np.ndarray, offsets: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A hash of every window of `size` consecutive ids within one sequence, and the sequence's index: (m,), (m,).

    Sequence i is `values[offsets[i]:offsets[i + 1]]`, with `offsets[0] = 0`.
    """
    codes = _mixed(values)
    hashes = codes
    for step in range(1, size):  # a polynomial in MULTIPLIER whose coefficients are the codes, modulo 2⁶⁴
        hashes = hashes[:-1] * MULTIPLIER + codes[step:]
    lengths = np.diff(offsets)
    rows = np.repeat(np.arange(len(lengths)), lengths)[: len(hashes)]
    inside = np.arange(len(hashes)) + size <= offsets[rows + 1]
    return hashes[inside], rows[inside]


def _mixed(values: np.ndarray) -> np.ndarray:
    """Scrambles the bits of ids: similar ids get unrelated codes (the finaliser of splitmix64, Steele et al. 2014)."""
    codes = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    codes = (codes ^ (codes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    codes = (codes ^ (codes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return codes ^ (codes >> np.uint64(31))
