"""Ways of searching, replayed on recorded learning curves, as a table per task: what a README and the page show."""

from __future__ import annotations

import math
from statistics import median
from typing import Any

from seqlab.runs.spread import Spread

HEADS = ("search", "best after half of the epochs", "after all", "epochs to the target", "share of the first row's")


def heading(task: dict[str, Any]) -> str:
    """What the table of a task is about: "reversal, 216 configurations"."""
    return f"{task['task']}, {size(task)} configurations"


def rows(task: dict[str, Any]) -> list[list[str]]:
    """One row per search, under `HEADS`."""
    shares = share_of_first(task)
    return [
        [name, _spread(facts["half"]), _spread(facts["same"]), _reached(facts), share_text(shares[name])]
        for name, facts in task["searches"].items()
    ]


def note(task: dict[str, Any], result: dict[str, Any]) -> str:
    """A paragraph that explains the rows."""
    agree = ", ".join(f"{value:.2f} after {epoch}" for epoch, value in task["rank_correlation"].items())
    return (
        f"Lowest validation loss of {size(task)} configurations of up to {task['epochs']} epochs each, mean ±"
        f" standard deviation over {len(result['seeds'])} seeds (the mean alone where all are the same); the lowest of"
        f" all is {task['best']:.4f}. All of the"
        f" epochs: {task['budget']}, what {result['trials']} trials take in full in the median, stopped early with"
        f" patience {result['patience']}. The target, {task['target']:.4f}, is the median of what the first row has"
        " found by then; a search has twice those epochs to come to it. Epochs to the target: median, how many seeds"
        " came to it (others count as infinite), and a 95 % interval of the median. Ranks of early losses agree with"
        f" those at the end to {agree} epochs (Spearman)."
    )


def size(task: dict[str, Any]) -> int:
    """The number of configurations."""
    return math.prod(map(len, task["axes"].values()))


def share_of_first(task: dict[str, Any]) -> dict[str, float]:
    """Search → its median epochs to the target as a share of the first search's; infinite if most seeds never came."""
    medians = {name: median_epochs(facts["reached"]) for name, facts in task["searches"].items()}
    first = next(iter(medians.values()))
    return {name: one / first if math.isfinite(one) else math.inf for name, one in medians.items()}


def median_epochs(reached: list[int | None]) -> float:
    """The median of epochs over seeds, of which one that never came counts as infinite."""
    return median(math.inf if one is None else one for one in reached)


def reached_count(reached: list[int | None]) -> str:
    """How many seeds came to the target."""
    return f"{sum(one is not None for one in reached)} of {len(reached)}"


def share_text(value: float) -> str:
    """A share of epochs; "–" where it is infinite."""
    return f"{value:.0%}" if math.isfinite(value) else "–"


def _spread(values: list[float | None]) -> str:
    known = [one for one in values if one is not None]
    return f"{Spread.of(known):.4f}" if len(known) == len(values) else ""


def _reached(facts: dict[str, Any]) -> str:
    epochs, seeds = median_epochs(facts["reached"]), reached_count(facts["reached"])
    if not math.isfinite(epochs):
        return f"not reached ({seeds})"
    low, high = (f"{one:.0f}" if one is not None else "∞" for one in facts["interval"])
    return f"{epochs:.0f} ({seeds}), {low} to {high}"
