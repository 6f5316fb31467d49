"""The figures of a run by name: values in its digest, and values computed from them."""

from __future__ import annotations

import math
import sys

from hydra_pruning_sweeper.messages import signed
from seqlab.metrics.registry import entry_of
from seqlab.runs.run_figures import (
    RunFigure,
    best_epoch,
    gap,
    mebibytes,
    milliseconds_a_step,
    number_at,
    of_length,
    outputs_per_second,
    slope_by_length,
    teraflops,
    tokens_per_second,
)
from seqlab.runs.schemas import Digest
from seqlab.runs.spread import Spread

COMPUTED: dict[str, RunFigure] = {
    "milliseconds_a_step": milliseconds_a_step,
    "tokens_per_second": tokens_per_second,
    "outputs_per_second": outputs_per_second,
    "mebibytes": mebibytes,
    "teraflops": teraflops,
    "gap": gap,
    "best_epoch": best_epoch,
    "slope_by_length": slope_by_length,
}

OF_LENGTH = "_of_length."
"""In the name of a figure of those test examples whose source is so long: `token_bleu_of_length.21-`, `….1-9`."""

OF_SOME_RUNS = ("milliseconds_a_step", "tokens_per_second", "outputs_per_second", "mebibytes")
"""Figures that a table gives over those runs that have them: a run that shared its cores has no times."""
SHARES = ("copies", "near_copies", "slope_by_length")  # besides the metrics that are shares
COUNTS = ("parameters", "epochs", "best_epoch", "train", "steps")


def figure(digest: Digest, name: str) -> float | None:
    """A figure of a run; None if the run does not have it.

    Args:
        name: a key of `COMPUTED`, the path to a value in the digest (`metrics.val.teacher_forced/loss`), or see
            `OF_LENGTH`.
    """
    if name in COMPUTED:
        return COMPUTED[name](digest)
    if OF_LENGTH in name:
        metric, _, lengths = name.partition(OF_LENGTH)
        first, _, last = lengths.partition("-")
        return of_length(metric, int(first), int(last or sys.maxsize))(digest)
    return number_at(digest, name.split("."))


def written(name: str, spread: Spread) -> str:
    """Mean ± standard deviation, in a format that suits the figure."""
    return format(spread, _format_spec(name, spread.mean))


def written_difference(name: str, difference: float) -> str:
    """A difference in a figure, with its sign; of shares in percentage points."""
    is_share = _format_spec(name, difference).endswith("%")
    return f"{signed(100 * difference, '.2f')} percentage points" if is_share else signed(difference, ".2f")


def _format_spec(name: str, mean: float) -> str:
    last = name.partition(OF_LENGTH)[0].rpartition(".")[2].rpartition("/")[2]
    if last in COUNTS:
        return ",.0f" if float(mean).is_integer() else ",.1f"
    if last in SHARES or entry_of(last).is_share or ".ngrams." in name:
        return ".2%"
    size = math.floor(math.log10(abs(mean))) if mean else 0
    return f",.{min(4, max(0, 3 - size))}f"
