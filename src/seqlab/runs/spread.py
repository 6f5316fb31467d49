"""Mean and deviation of a figure over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean and sample standard deviation (0 for a single value), with the values themselves.

    If a value is not finite (the perplexity of a run that diverged), the deviation is NaN.
    """
    values = list(values)
    if not all(map(math.isfinite, values)):
        return {"mean": sum(values) / len(values), "sd": math.nan, "values": values}
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "sd": deviation, "values": values}
