"""BLEU and chrF of outputs that a run has left, as the run itself measured them, from what sacrebleu counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sacrebleu

from seqlab.runs.run_folder import SavedPrediction
from seqlab.text.tokenizers import words_and_marks

ORDER = 4
"""The longest n-grams of BLEU."""


def bleu_statistics(said: Sequence[SavedPrediction]) -> np.ndarray:
    """What token BLEU is computed from, a row a sentence: lengths of output and reference, then the counts of n-grams
    that are right and of all n-grams, for n of 1 to 4. Sums of rows are the statistics of several sentences.

    Words and marks, lower-cased, against the one reference that `predictions.tsv` holds.
    """
    metric = sacrebleu.BLEU(lowercase=True, tokenize="none", force=True, effective_order=True)
    rows = []
    for one in said:
        output, reference = (" ".join(words_and_marks(text)) for text in (one.prediction, one.reference))
        score = metric.sentence_score(output, [reference])
        rows.append([score.sys_len, score.ref_len, *score.counts, *score.totals])
    return np.array(rows, dtype=np.int64).reshape(-1, 2 + 2 * ORDER)


def bleu_of(statistics: np.ndarray) -> float:
    """Corpus BLEU, 0 to 100, of summed statistics (10,), at sacrebleu's defaults."""
    output, reference, *counts = statistics.tolist()
    score: Any = sacrebleu.BLEU.compute_bleu(counts[:ORDER], counts[ORDER:], output, reference, smooth_method="exp")
    return float(score.score)


def chrf_of(said: Sequence[SavedPrediction], lower: bool) -> float:
    """Corpus chrF, 0 to 100."""
    metric = sacrebleu.CHRF(lowercase=lower)
    return float(metric.corpus_score([one.prediction for one in said], [[one.reference for one in said]]).score)
