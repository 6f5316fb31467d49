"""What quality costs: to tune, to train and to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seqlab.reporting.page.groups import RunGroup
from seqlab.runs import run_figures
from seqlab.runs.result import in_teraflops
from seqlab.runs.run_figures import RunFigure
from seqlab.runs.spread import Spread


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


def _of_runs(figure: RunFigure) -> Callable[[RunGroup], Spread | None]:
    return lambda group: group.figure(figure)


def _of_search(
    name: str, in_unit: Callable[[float | None], float | None] = lambda cost: cost
) -> Callable[[RunGroup], Spread | None]:
    def searched(group: RunGroup) -> Spread | None:
        cost = in_unit(group.searched(name))
        return None if cost is None else Spread.of([cost])

    return searched


BESIDE_QUALITY = (
    CostColumn("parameters", "of the model", ",.0f", _of_runs(run_figures.parameters)),
    CostColumn(
        "memory MiB",
        "held at most in training: by the whole process, or on a GPU by tensors",
        ",.0f",
        _of_runs(run_figures.mebibytes),
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
        _of_runs(run_figures.training_seconds),
    ),
    CostColumn(
        "tokens/s",
        "target tokens per second of training, without padding",
        ",.0f",
        _of_runs(run_figures.tokens_per_second),
    ),
    CostColumn(
        "outputs/s",
        "outputs generated as text per second, in batches, with the run's own search",
        ",.1f",
        _of_runs(run_figures.outputs_per_second),
    ),
)
"""The costs that tables show right beside quality."""

FURTHER_COSTS = (
    CostColumn("TFLOP", "operations in matrix products of training, in 10¹²", ",.3g", _of_runs(run_figures.teraflops)),
    CostColumn(
        "tuning trials", "trainings of the search for settings before the runs", ",.0f", _of_search("trainings")
    ),
    CostColumn("tuning epochs", "epochs of all these trials", ",.0f", _of_search("epochs")),
    CostColumn(
        "tuning TFLOP",
        "operations in matrix products of all these trials, in 10¹²",
        ",.3g",
        _of_search("flops", in_teraflops),
    ),
    CostColumn(
        "val leaks",
        "validation sentences that appear in training word for word",
        ".1%",
        _of_runs(run_figures.leaked("val")),
    ),
)
"""Those that come last."""
