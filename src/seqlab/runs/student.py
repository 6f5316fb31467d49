"""Student's t: how far the mean of a few seeds may be off."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

QUANTILES = (  # 0.975, for 1, 2, 3 … degrees of freedom
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


def quantile(freedom: float) -> float:
    """The quantile 0.975; degrees of freedom are rounded down, so that no interval is too narrow."""
    return QUANTILES[min(len(QUANTILES), max(1, math.floor(freedom))) - 1]


def interval_of_mean(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the mean of independent values; None for fewer than two."""
    if len(values) < 2:
        return None
    mean = statistics.fmean(values)
    half = quantile(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return mean - half, mean + half
