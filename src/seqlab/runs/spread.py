"""Mean and deviation of what several seeds gave."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean and sample standard deviation (0 of a single value), with the values themselves.

    A value that is not finite (the perplexity of a run that went wrong) leaves no deviation: NaN.
    """
    values = list(values)
    if not all(map(math.isfinite, values)):
        return {"mean": sum(values) / len(values), "sd": math.nan, "values": values}
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "sd": deviation, "values": values}
