"""How certain a difference is, over seeds and over examples.

Over seeds: the 95 % interval of Welch (1947, "The generalization of Student's problem when several different population
variances are involved") for a difference of two means, or of Student for a mean of differences. Over examples: the
paired bootstrap of `seqlab.runs.significance`. A difference is shown if both sides have several seeds and no interval
contains zero. Where all seeds of each side have the same value (all outputs right, for example), the interval over
seeds has no width and proves nothing; then the interval over examples decides.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hydra_pruning_sweeper.messages import signed
from seqlab.metrics.registry import TOKEN_BLEU, entry_of
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.judging import FORMS
from seqlab.reporting.page.sources import Material
from seqlab.runs.student import interval_of_mean, quantile

Interval = tuple[float, float]


@dataclass(frozen=True)
class Gap:
    """The difference between two sides.

    Args:
        size: the second mean over seeds minus the first.
        seeds: the number of seeds of each side.
        over_seeds: 95 % interval; None where a side has one seed.
        over_examples: 95 % interval; None where it was not tested.
        untested: why it was not tested, where a reader should know.
    """

    size: float
    seeds: tuple[int, int]
    over_seeds: Interval | None = None
    over_examples: Interval | None = None
    untested: str = ""

    @property
    def none_shown(self) -> bool:
        """Whether some interval contains zero."""
        return not self.size or any(low <= 0 <= high for low, high in self._intervals)

    @property
    def shown(self) -> bool:
        """Whether it exceeds chance over seeds and, where that was tested or the seeds do not vary, over examples."""
        tested = self.over_seeds is not None and not (self.unvaried and self.over_examples is None)
        return tested and not self.none_shown

    @property
    def unvaried(self) -> bool:
        """Whether all seeds of each side have the same value."""
        return self.over_seeds is not None and self.over_seeds[0] == self.over_seeds[1]

    @property
    def _intervals(self) -> list[Interval]:
        return [one for one in (self.over_seeds, self.over_examples) if one is not None]

    @property
    def turned(self) -> Gap:
        """First minus second."""
        seeds, examples = (one and (-one[1], -one[0]) for one in (self.over_seeds, self.over_examples))
        return Gap(-self.size, self.seeds[::-1], seeds, examples, self.untested)

    def written(self, form: str, unit: str = "", scale: float = 1.0) -> str:
        """Sign, size and intervals, for use in a sentence: "+7.00 ms (95 %: over seeds +6.77 to +7.23)".

        Args:
            form: of the size and of the ends of the intervals.
            unit: follows the size.
            scale: how many of the unit one is.
        """
        return self._written(lambda value: signed(scale * value, form), unit)

    def _written(self, write: Callable[[float], str], unit: str) -> str:
        ranges = [
            f"over {what} {write(interval[0])} to {write(interval[1])}"
            for what, interval in (("seeds", self.over_seeds), ("test examples", self.over_examples))
            if interval is not None and interval[0] < interval[1]
        ]
        parts = [*([f"95 %: {', '.join(ranges)}"] if ranges else []), *([self.untested] if self.untested else [])]
        return f"{write(self.size)}{unit}" + (f" ({'; '.join(parts)})" if parts else "")

    def in_metric(self, label: str) -> str:
        """The same of a difference in the metric with that label; shares in percentage points."""
        form = FORMS.get(label, ".3g")
        scale, form, unit = (100, form.replace("%", "f"), " percentage points") if form.endswith("%") else (1, form, "")

        def write(value: float) -> str:
            text = signed(scale * value, form)
            too_small = value and not any(digit in text for digit in "123456789")
            return signed(scale * value, ".1g") if too_small else text

        return self._written(write, unit)


def between(first: Sequence[float], second: Sequence[float], over_examples: Interval | None = None) -> Gap | None:
    """The difference of two sides, of one value per seed each; None where a side has none."""
    if not first or not second:
        return None
    size = statistics.fmean(second) - statistics.fmean(first)
    counts = len(first), len(second)
    if min(counts) < 2:
        return Gap(size, counts, None, over_examples)
    a, b = (statistics.variance(side) / len(side) for side in (first, second))
    half = 0.0
    if a + b:
        freedom = (a + b) ** 2 / (a**2 / (len(first) - 1) + b**2 / (len(second) - 1))
        half = quantile(freedom) * math.sqrt(a + b)
    return Gap(size, counts, (size - half, size + half), over_examples)


def within(differences: Sequence[float]) -> Gap | None:
    """The mean of differences that were taken within runs, one per seed."""
    if not differences:
        return None
    count = len(differences)
    return Gap(statistics.fmean(differences), (count, count), interval_of_mean(differences))


def compared(material: Material, first: RunGroup, second: RunGroup, metric: str) -> Gap | None:
    """How much more of a metric `second` has on the compared split, over seeds and, where tested, over examples."""
    if first.split != second.split:
        return None
    test = material.significance(first, second, entry_of(metric).label)
    interval = test.get("interval") if test else None
    bounds = (interval[0], interval[1]) if interval and len(interval) == 2 else None
    gap = between(first.metric_by_seed(metric), second.metric_by_seed(metric), bounds)
    runs = [*first.runs, *second.runs]
    if gap and metric == TOKEN_BLEU and any(run.get("references") == "first" for run in runs):
        return replace(gap, untested="not tested over examples, which have several references")
    return gap


def why_not_shown(difference: Gap) -> str:
    """Why a difference is not shown although no interval contains zero."""
    if difference.unvaried:
        return "all seeds of a side have the same value: how far others would vary is not known"
    return "one seed: what another seed would give is not known"


def single_seeds(difference: Gap, *names: str) -> str:
    """Why a difference is not shown although no interval contains zero, naming the sides that have one seed."""
    if difference.unvaried:
        return why_not_shown(difference)
    once = [name for name, count in zip(names, difference.seeds, strict=True) if count < 2]
    return f"one seed of {' and '.join(dict.fromkeys(once))}: what another seed would give is not known"
