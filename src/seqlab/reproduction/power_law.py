"""A power law through the results of several sizes: y = a · x^−b."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hydra_pruning_sweeper.messages import true_minus
from seqlab.runs.student import interval_of_mean


@dataclass(frozen=True)
class PowerLaw:
    """y = `constant` · x^−`exponent`, fitted for each seed by itself.

    Args:
        constant: a, the y at x = 1: the geometric mean over seeds.
        exponent: b, the mean over seeds; above 0 where y falls.
        interval: 95 % interval of the exponent over seeds (Student); None for one seed.
        straightness: R² of the fit of log y against log x, the mean over seeds.
    """

    constant: float
    exponent: float
    interval: tuple[float, float] | None
    straightness: float

    def __call__(self, x: float) -> float:
        """The y of the law at x."""
        return self.constant * x**-self.exponent

    @property
    def falls(self) -> bool:
        """Whether the interval shows that y falls."""
        return self.interval is not None and self.interval[0] > 0

    @property
    def tenfold(self) -> float:
        """The share by which y falls where x is ten times as large."""
        return 1 - 10**-self.exponent

    def __str__(self) -> str:
        """The exponent and its interval."""
        interval = "" if self.interval is None else f" ({self.interval[0]:.4f} to {self.interval[1]:.4f})"
        return true_minus(f"{self.exponent:.4f}{interval}")


def fitted(sizes: Sequence[Mapping[int, tuple[float, float]]]) -> PowerLaw:
    """The power law through several sizes.

    Args:
        sizes: of each size x and y by seed, all above 0. Seeds that only some sizes have are left out.

    Raises:
        ValueError: fewer than two sizes, no seed has all of them, or all x are the same.
    """
    seeds = [seed for seed in sizes[0] if all(seed in size for size in sizes)] if sizes else []
    if not seeds:
        raise ValueError("no seed has all sizes")
    lines = [_line([size[seed] for size in sizes]) for seed in seeds]
    exponents = [-slope for slope, _, _ in lines]
    return PowerLaw(
        math.exp(statistics.fmean(start for _, start, _ in lines)),
        statistics.fmean(exponents),
        interval_of_mean(exponents),
        statistics.fmean(straightness for _, _, straightness in lines),
    )


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Slope, start and R² of the least-squares line through the logarithms of points."""
    xs, ys = ([math.log(value) for value in axis] for axis in zip(*points, strict=True))
    slope, start = statistics.linear_regression(xs, ys)
    middle = statistics.fmean(ys)
    over = sum((y - start - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    return slope, start, 1 - over / (sum((y - middle) ** 2 for y in ys) or 1.0)
