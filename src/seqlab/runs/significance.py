"""Whether one run is better than another on the same test set, or only luckier with its examples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqlab.errors import InputError
from seqlab.runs.scores import are_short, bleu_of

SAMPLES = 1000
"""How many test sets are drawn."""

Score = Callable[[np.ndarray], float]
"""Computes a figure of a test set from the summed statistics of its examples."""

METRICS: dict[str, tuple[str, Score]] = {
    "token BLEU": ("bleu_statistics", bleu_of),
    "exact match": ("correct", lambda statistics: float(statistics[0] / statistics[1])),
}
"""The metrics that can be tested: the key of their statistics in a digest, and how a figure is computed from them."""


def significance(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any] | None:
    """The figure of the runs `b` minus that of the runs `a`, and how certain the difference is: see `paired_bootstrap`.

    Args:
        a, b: digests. Several on a side are seeds of one setting; their mean figure counts.
        metric: one of `METRICS`.

    Returns:
        `metric`, `difference`, `p`, `interval` and `samples`; None if a run does not have the metric.

    Raises:
        InputError: the runs were not evaluated on the same examples.
    """
    key, _ = METRICS[metric]
    if not all(key in run for run in [*a, *b]):
        return None
    if len({run["test_set"] for run in [*a, *b]}) > 1:
        names = ", ".join(sorted({str(run.get("folder", run.get("name"))) for run in [*a, *b]}))
        raise InputError(f"{names}: not measured on the same examples, so their difference cannot be tested")
    first, second = ([statistics_of(run, key) for run in side] for side in (a, b))
    return {"metric": metric, **paired_bootstrap(first, second, _score(metric, [*first, *second]))}


def mean_figure(runs: Sequence[Mapping[str, Any]], metric: str) -> float | None:
    """The mean over runs of a metric of `METRICS`, from their digests; None if one does not have it."""
    key, _ = METRICS[metric]
    if not all(key in run for run in runs):
        return None
    statistics = [statistics_of(run, key) for run in runs]
    return _mean_on_all(statistics, _score(metric, statistics))


def _score(metric: str, statistics: Sequence[np.ndarray]) -> Score:
    """How a metric is computed from the statistics of these runs; BLEU may have `short` references."""
    _, score = METRICS[metric]
    return functools.partial(bleu_of, short=True) if score is bleu_of and all(map(are_short, statistics)) else score


def statistics_of(run: Mapping[str, Any], key: str) -> np.ndarray:
    """The statistics of a run's examples, under their key in its digest: (examples, statistics)."""
    rows = np.array(run[key], dtype=np.int64)
    return rows if rows.ndim == 2 else np.stack([rows, np.ones_like(rows)], axis=1)


def paired_bootstrap(
    a: Sequence[np.ndarray], b: Sequence[np.ndarray], score: Score, samples: int = SAMPLES, seed: int = 12345
) -> dict[str, Any]:
    """Paired bootstrap resampling (Koehn 2004, "Statistical significance tests for machine translation evaluation",
    section 4).

    Each sample is a test set of the same size, drawn from the examples with replacement, and the same for every run. p
    is two-sided: twice the share of samples on which the difference does not have the sign that it has on the real test
    set (ties count against it), where one such sample is added to those drawn, so that p ≥ 2 / (samples + 1). It tells
    how much depends on the choice of examples; how much depends on the training seed, the spread over seeds tells.

    Args:
        a, b: per run (examples, statistics). The mean score of the runs of a side counts.
        score: takes summed statistics (statistics,).

    Returns:
        `difference` (b − a), `p`, `interval` (it holds 95 % of the differences) and `samples`.
    """
    examples = len(a[0])
    generator = np.random.default_rng(seed)
    # How often each set holds each example: a matrix product then sums the statistics of all sets.
    counts = generator.multinomial(examples, np.full(examples, 1 / examples), size=samples)
    difference = _mean_on_all(b, score) - _mean_on_all(a, score)
    differences = _mean_score(b, counts, score) - _mean_score(a, counts, score)
    against = int((differences <= 0).sum() if difference > 0 else (differences >= 0).sum())
    low, high = np.quantile(differences, [0.025, 0.975]).tolist()
    return {
        "difference": difference,
        "p": min(1.0, 2 * (against + 1) / (samples + 1)),
        "interval": [low, high],
        "samples": samples,
    }


def _mean_on_all(runs: Sequence[np.ndarray], score: Score) -> float:
    """The mean score of runs on the test set itself, with each example once."""
    return float(_mean_score(runs, np.ones((1, len(runs[0])), dtype=np.int64), score)[0])


def _mean_score(runs: Sequence[np.ndarray], counts: np.ndarray, score: Score) -> np.ndarray:
    """The mean score of runs on each test set that `counts` (sets, examples) describes: (sets,)."""
    return np.mean([[score(sums) for sums in counts @ run] for run in runs], axis=0)
