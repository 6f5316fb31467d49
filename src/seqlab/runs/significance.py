"""Whether one run is better than another over the same test set, or only luckier with its examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqlab.errors import InputError
from seqlab.runs.scores import bleu_of

SAMPLES = 1000
"""Test sets that are drawn."""

Score = Callable[[np.ndarray], float]
"""A figure of a test set, of the summed statistics of its examples."""

METRICS: dict[str, tuple[str, Score]] = {
    "token BLEU": ("bleu_statistics", bleu_of),
    "exact match": ("correct", lambda statistics: float(statistics[0] / statistics[1])),
}
"""What can be compared: in which part of a digest its statistics are, and how they become a figure."""


def significance(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any] | None:
    """How much more the runs `b` have than the runs `a`, and how sure that is: see `paired_bootstrap`.

    Args:
        a, b: digests; several of a side are seeds of one setting, whose mean figure counts.
        metric: one of `METRICS`.

    Returns:
        `metric`, `difference`, `p`, `interval` and `samples`; None if a run has no such metric.

    Raises:
        InputError: the runs were not measured on the same examples.
    """
    key, score = METRICS[metric]
    if not all(key in run for run in [*a, *b]):
        return None
    if len({run["test_set"] for run in [*a, *b]}) > 1:
        names = ", ".join(sorted({str(run.get("folder", run.get("name"))) for run in [*a, *b]}))
        raise InputError(f"{names}: not measured on the same examples, so nothing can be said of their difference")
    return {
        "metric": metric,
        **paired_bootstrap([_statistics(run, key) for run in a], [_statistics(run, key) for run in b], score),
    }


def _statistics(run: Mapping[str, Any], key: str) -> np.ndarray:
    rows = np.array(run[key], dtype=np.int64)
    return rows if rows.ndim == 2 else np.stack([rows, np.ones_like(rows)], axis=1)


def paired_bootstrap(
    a: Sequence[np.ndarray], b: Sequence[np.ndarray], score: Score, samples: int = SAMPLES, seed: int = 12345
) -> dict[str, Any]:
    """Paired bootstrap resampling (Koehn 2004, "Statistical significance tests for machine translation evaluation",
    section 4).

    As many examples as there are, drawn from them with replacement, are another test set: the same one for every run.
    p is twice the share of such sets on which the difference has not the sign that it has on the real one (ties count),
    itself counted among them: two-sided, at least 2 / (samples + 1). It is about the choice of examples; how much
    a figure depends on the seed of training is what its spread over seeds tells.

    Args:
        a, b: of each run (examples, statistics). The mean score of a side's runs counts.
        score: of summed statistics (statistics,).

    Returns:
        `difference` (b − a), `p`, `interval` (that holds 95 % of the differences) and `samples`.
    """
    examples = len(a[0])
    generator = np.random.default_rng(seed)
    # How often each example is in each set: then a product of matrices sums the statistics of all sets.
    counts = generator.multinomial(examples, np.full(examples, 1 / examples), size=samples)
    difference = _mean_score(b, np.ones((1, examples), dtype=np.int64), score)[0]
    difference -= _mean_score(a, np.ones((1, examples), dtype=np.int64), score)[0]
    differences = _mean_score(b, counts, score) - _mean_score(a, counts, score)
    against = int((differences <= 0).sum() if difference > 0 else (differences >= 0).sum())
    low, high = np.quantile(differences, [0.025, 0.975]).tolist()
    return {
        "difference": float(difference),
        "p": min(1.0, 2 * (against + 1) / (samples + 1)),
        "interval": [low, high],
        "samples": samples,
    }


def _mean_score(runs: Sequence[np.ndarray], counts: np.ndarray, score: Score) -> np.ndarray:
    """The mean score of runs on each test set that `counts` (sets, examples) describes: (sets,)."""
    return np.mean([[score(sums) for sums in counts @ run] for run in runs], axis=0)
