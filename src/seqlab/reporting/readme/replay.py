"""`python -m seqlab.reporting.readme.replay README.md FILE`: writes the comparison of searches in FILE into README."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.reporting.readme.claims import with_results

BEGIN, END = "<!-- replay: written by `make replay` -->", "<!-- end of replay -->"

HEADS = (
    "search",
    "best after half of the epochs",
    "after all",
    "after twice",
    "epochs to the best of the first row",
)


def table(result: dict[str, Any]) -> str:
    """The comparison, as Markdown."""
    return f"{TextTable(HEADS, 'l' * len(HEADS), rows=rows(result)).markdown()}\n{note(result)}\n"


def rows(result: dict[str, Any]) -> list[list[str]]:
    """One row per search, under `HEADS`."""
    cells = []
    for name, facts in result["searches"].items():
        best = [_spread(facts["best"].get(part, [])) for part in ("half", "same", "twice")]
        cells.append([name, *best, _reached(facts["reached"], result["spent"])])
    return cells


def note(result: dict[str, Any]) -> str:
    """A paragraph that explains the rows."""
    agree = ", ".join(f"{value:.2f} after {epoch}" for epoch, value in result["rank_correlation"].items())
    return (
        f"Lowest validation loss of {size(result)} configurations of up to {result['epochs']} epochs each, mean ±"
        f" standard deviation over {len(result['seeds'])} seeds; the lowest of all is {result['best']:.4f}. All of the"
        f" epochs: what {result['trials']} trials take in full, stopped early with patience {result['patience']}"
        f" ({_whole(result['spent'])}). Last column: median (and how many seeds came to it),"
        f" share of the first row's epochs. Ranks of early losses agree with those at the end to {agree} epochs"
        " (Spearman)."
    )


def size(result: dict[str, Any]) -> int:
    """The number of configurations."""
    return math.prod(map(len, result["axes"].values()))


def share(epochs: list[int | None], spent: list[int]) -> float:
    """The median share of the first search's epochs that a search took to reach its best; infinite if most seeds never
    reached it.

    A seed that never reached it counts as later than any that did.
    """
    return median(math.inf if one is None else one / all for one, all in zip(epochs, spent, strict=True))


def came(epochs: list[int | None]) -> str:
    """How many seeds reached the first search's best."""
    return f"{sum(one is not None for one in epochs)} of {len(epochs)}"


def _spread(values: list[float]) -> str:
    if not values or not all(map(math.isfinite, values)):
        return ""
    return f"{mean(values):.4f} ± {stdev(values):.4f}"


def _reached(epochs: list[int | None], spent: list[int]) -> str:
    middle = median(math.inf if one is None else one for one in epochs)
    if not math.isfinite(middle):
        return f"not reached ({came(epochs)})"
    return f"{middle:.0f} ({came(epochs)}), {share(epochs, spent):.0%}"


def _whole(values: list[int]) -> str:
    return f"{min(values)} to {max(values)}" if min(values) < max(values) else str(values[0])


def main() -> None:
    """The command line."""
    readme, path = map(Path, sys.argv[1:3])
    text = table(json.loads(path.read_text(encoding="utf-8")))
    write_atomically(readme, with_results(readme.read_text(encoding="utf-8"), text, BEGIN, END))
    print(f"comparison of {path} written into {readme}")


if __name__ == "__main__":
    main()
