"""Baselines that need no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from seqlab.metrics.free_running import TextMetrics

DISTANCES = 2**25
"""At most so many distances are held at once (128 MiB), or those of a single query if they are more."""


def nearest(queries: Sequence[str], known: Sequence[str]) -> list[int]:
    """For each query, the index of the nearest known text by normalised Levenshtein distance (the first of ties)."""
    indices: list[int] = []
    chunk = max(1, DISTANCES // len(known))
    for start in range(0, len(queries), chunk):
        distances: Any = process.cdist(
            queries[start : start + chunk],
            known,
            scorer=Levenshtein.normalized_distance,
            dtype=np.float32,
            workers=-1,
        )
        indices.extend(distances.argmin(axis=1).tolist())
    return indices


def copy_nearest(
    copied: Sequence[str],
    references: Sequence[Sequence[str]],
    matches: Sequence[bool],
    lower: bool = False,
    tokenizer: str = "13a",
) -> dict[str, float]:
    """The metrics of answering each source with the translation of the `nearest` training source.

    A model with a higher score does more than memorise. `lower` and `tokenizer` are those of `TextMetrics`.

    Args:
        copied: for each source, that translation.
        references: the references of each source.
        matches: whether each translation equals one of them, counted as for a model's outputs.
    """
    if not copied:
        return {}
    metrics = TextMetrics(lower, tokenizer)
    metrics.update(copied, references, matches)
    return {f"copy_nearest/{name}": value for name, value in metrics.compute().items()}
