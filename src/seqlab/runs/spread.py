"""Mean and deviation of a figure over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """A figure over seeds.

    Args:
        mean: of the values.
        sd: their sample standard deviation; 0 for a single value, NaN if a value is not finite (the perplexity of a run
            that diverged).
        values: one per seed.
    """

    mean: float
    sd: float
    values: Sequence[float]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of one or more values."""
        if not all(map(math.isfinite, values)):
            return cls(sum(values) / len(values), math.nan, list(values))
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        return cls(statistics.fmean(values), deviation, list(values))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Spread:
        """The spread that a reference file holds."""
        return cls(content["mean"], content["sd"], content["values"])

    def to_json(self) -> dict[str, Any]:
        """The content of a reference file."""
        return {"mean": self.mean, "sd": self.sd, "values": list(self.values)}

    @property
    def count(self) -> int:
        """The number of values."""
        return len(self.values)

    def __format__(self, form: str) -> str:
        """Mean ± deviation, which has no sign; only the mean where all values are the same."""
        mean = format(self.mean, form)
        return mean if len(set(self.values)) == 1 else f"{mean} ± {format(self.sd, form.removeprefix('+'))}"
