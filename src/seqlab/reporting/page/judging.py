"""By which metric groups of runs can be judged."""

from __future__ import annotations

from collections.abc import Sequence

from seqlab.metrics.registry import BLEU, LOSS, METRICS, PLAIN, TOKEN_BLEU
from seqlab.reporting.page.groups import RunGroup

EXACT = "exact match"
QUALITY = [one.key for one in reversed(METRICS) if one.judges]
"""The metrics that can judge a split; the first one that was measured does."""
FORMS = {one.label: one.form for one in METRICS if one.form != PLAIN}
"""The format of figures in sentences, by label; others have three digits."""


def quality(groups: Sequence[RunGroup]) -> str | None:
    """The metric by which all of `groups` can be judged; None if there is none.

    The loss per token cannot judge groups whose tokens differ; for BLEU see `unsuited`. A metric that is zero in all
    of them judges only where no other can: none of them continues a running text exactly, for example.
    """
    unfit = unsuited(groups) | ({LOSS} if len({one.tokens for one in groups}) > 1 else set())
    names = [name for name in QUALITY if name not in unfit and groups and all(one.metric(name) for one in groups)]
    telling = (name for name in names if any(any(one.metric_by_seed(name)) for one in groups))
    return next(telling, names[0] if names else None)


def unsuited(groups: Sequence[RunGroup]) -> set[str]:
    """The metrics that say nothing about the targets of `groups`.

    BLEU counts sequences of up to four words: it needs sentences. Token BLEU also needs spaces between words, for
    without them a whole clause is one token.
    """
    if not all(one.has_sentences for one in groups):
        return {TOKEN_BLEU, BLEU}
    return set() if all(one.has_words for one in groups) else {TOKEN_BLEU}


def comparable(groups: Sequence[RunGroup]) -> bool:
    """Whether all groups were evaluated on the same examples, as far as they record it."""
    return len({one.measured_on for one in groups} - {None}) < 2
