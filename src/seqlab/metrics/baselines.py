"""What can be had without a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from seqlab.metrics.free_running import TextMetrics

DISTANCES = 2**25
"""Held at a time, at most: 128 MiB, or one query's."""


def nearest(queries: Sequence[str], known: Sequence[str]) -> list[int]:
    """For each query, the index of the nearest known text by normalised Levenshtein distance (the first of equals)."""
    found: list[int] = []
    chunk = max(1, DISTANCES // len(known))
    for start in range(0, len(queries), chunk):
        distances: Any = process.cdist(
            queries[start : start + chunk],
            known,
            scorer=Levenshtein.normalized_distance,
            dtype=np.float32,
            workers=-1,
        )
        found.extend(distances.argmin(axis=1).tolist())
    return found


def copy_nearest(
    copied: Sequence[str], references: Sequence[Sequence[str]], lower: bool = False, tokenizer: str = "13a"
) -> dict[str, float]:
    """The metrics of answering each source with the translation of the `nearest` training source.

    What a model scores above this it did not get by memory alone. `lower` and `tokenizer` as in
    `TextMetrics`.
    """
    if not copied:
        return {}
    metrics = TextMetrics(lower, tokenizer)
    metrics.update(copied, references, [output in own for output, own in zip(copied, references, strict=True)])
    return {f"copy_nearest/{name}": value for name, value in metrics.compute().items()}
