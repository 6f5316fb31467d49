"""What quality costs: to tune, to train and to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seqlab.reporting.page.groups import RunGroup, Spread
from seqlab.runs.result import GENERATED


@dataclass(frozen=True)
class CostColumn:
    """A cost as a column of a table.

    Args:
        head, meaning: of the column.
        form: of the figure.
        figure: of a group; None where its runs do not record it.
    """

    head: str
    meaning: str
    form: str
    figure: Callable[[RunGroup], Spread | None]


def _of_run(*path: str, per: float = 1.0) -> Callable[[RunGroup], Spread | None]:
    """The figure at a path in the digests, divided by the size of its unit."""
    return lambda group: _divided(group.figure(*path), per)


def _of_search(name: str, per: float = 1.0) -> Callable[[RunGroup], Spread | None]:
    return lambda group: _divided(group.searched(name), per)


def _divided(figure: Spread | None, per: float) -> Spread | None:
    return None if figure is None else Spread(figure.mean / per, figure.sd / per, figure.count)


BESIDE_QUALITY = (
    CostColumn("parameters", "of the model", ",.0f", _of_run("parameters")),
    CostColumn(
        "memory MiB",
        "held at most in training: by the whole process, or on a GPU by tensors",
        ",.0f",
        _of_run("training", "peak_memory", per=2**20),
    ),
    CostColumn(
        "tuning s",
        "seconds of all trials of the search for settings before the runs, with their validation",
        ",.0f",
        _of_search("seconds"),
    ),
    CostColumn(
        "training s",
        "seconds of training, without validation",
        ",.0f",
        _of_run("training", "seconds"),
    ),
    CostColumn(
        "tokens/s",
        "target tokens per second of training, without padding",
        ",.0f",
        _of_run("training", "tokens_per_second"),
    ),
    CostColumn(
        "outputs/s",
        "outputs generated as text per second, in batches, with the run's own search",
        ",.1f",
        _of_run("generation", GENERATED, "per_second"),
    ),
)
"""The costs that tables show right beside quality."""

FURTHER_COSTS = (
    CostColumn(
        "TFLOP", "operations in matrix products of training, in 10¹²", ",.3g", _of_run("training", "flops", per=1e12)
    ),
    CostColumn(
        "tuning trials", "trainings of the search for settings before the runs", ",.0f", _of_search("trainings")
    ),
    CostColumn("tuning epochs", "epochs of all these trials", ",.0f", _of_search("epochs")),
    CostColumn(
        "tuning TFLOP",
        "operations in matrix products of all these trials, in 10¹²",
        ",.3g",
        _of_search("flops", per=1e12),
    ),
    CostColumn("val leaks", "validation sentences that appear in training word for word", ".1%", RunGroup.leaks),
)
"""Those that come last."""
