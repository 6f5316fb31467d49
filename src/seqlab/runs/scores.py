"""BLEU and chrF of a run's saved outputs, computed as the run itself computed them, from sacrebleu's counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sacrebleu

from seqlab.runs.run_folder import SavedPrediction
from seqlab.text.tokenizers import words_and_marks

ORDER = 4
"""The n of BLEU's longest n-grams."""


def bleu_statistics(predictions: Sequence[SavedPrediction]) -> np.ndarray:
    """The statistics from which token BLEU is computed, one row per sentence: (sentences, 10).

    A row holds the lengths of output and reference, then the counts of matching n-grams and of all n-grams, for n from
    1 to 4. The statistics of several sentences are the sum of their rows. Tokens are words and punctuation marks,
    lower-cased; the reference is the one that `predictions.tsv` holds.
    """
    metric = sacrebleu.BLEU(lowercase=True, tokenize="none", force=True, effective_order=True)
    rows = []
    for one in predictions:
        output, reference = (" ".join(words_and_marks(text)) for text in (one.prediction, one.reference))
        score = metric.sentence_score(output, [reference])
        rows.append([score.sys_len, score.ref_len, *score.counts, *score.totals])
    return np.array(rows, dtype=np.int64).reshape(-1, 2 + 2 * ORDER)


def are_short(statistics: np.ndarray) -> bool:
    """Whether all references, of statistics (sentences, 10), have fewer tokens than BLEU's longest n-grams.

    A run then computes BLEU by the n-grams that there are.
    """
    return len(statistics) > 0 and int(statistics[:, 1].max()) < ORDER


def bleu_of(statistics: np.ndarray, short: bool = False) -> float:
    """Corpus BLEU, 0 to 100, of summed statistics (10,), with sacrebleu's defaults.

    Args:
        short: whether all references of the test set `are_short`.
    """
    output, reference, *counts = statistics.tolist()
    score: Any = sacrebleu.BLEU.compute_bleu(
        counts[:ORDER], counts[ORDER:], output, reference, smooth_method="exp", effective_order=short
    )
    return float(score.score)


def chrf_of(predictions: Sequence[SavedPrediction], lower: bool) -> float:
    """Corpus chrF, 0 to 100, of lower-cased texts if `lower`."""
    metric = sacrebleu.CHRF(lowercase=lower)
    outputs, references = [one.prediction for one in predictions], [one.reference for one in predictions]
    return float(metric.corpus_score(outputs, [references]).score)
