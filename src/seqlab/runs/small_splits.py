"""How uncertain figures of splits with few examples are."""

from __future__ import annotations

import math

from hydra_pruning_sweeper.messages import plural

FEW = 100
"""A split with fewer examples is pointed out."""


def uncertainty(split: str, count: int, share: float) -> str | None:
    """How uncertain the exact match of a split is, in a sentence; None if it has enough examples."""
    if count >= FEW:
        return None
    low, high = share_interval(share, count)
    return (
        f"{split} has only {plural(count, 'example')}: its exact match of {share:.0%} may as well be anything"
        f" from {low:.0%} to {high:.0%} (95 % interval)"
    )


def share_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of `count` examples (Wilson 1927, "Probable inference, the law of succession")."""
    z = 1.96
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)
