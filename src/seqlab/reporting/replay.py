"""`python -m seqlab.reporting.replay README.md FILE`: writes the comparison of searches in FILE into README."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from seqlab.files import write_atomically
from seqlab.reporting.readme import with_results

BEGIN, END = "<!-- replay: written by `make replay` -->", "<!-- end of replay -->"


def table(result: dict[str, Any]) -> str:
    """The comparison, as Markdown."""
    rows = [
        ["search", "best after half of the epochs", "after all", "after twice", "epochs to the best of the first row"],
        ["---"] * 5,
    ]
    for name, facts in result["searches"].items():
        best = [_spread(facts["best"].get(part, [])) for part in ("half", "same", "twice")]
        rows.append([name, *best, _reached(facts["reached"], result["spent"])])
    agree = ", ".join(f"{value:.2f} after {epoch}" for epoch, value in result["rank_correlation"].items())
    size = math.prod(map(len, result["axes"].values()))
    lines = [
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        f"Lowest validation loss of {size} configurations of up to {result['epochs']} epochs each, mean ± standard"
        f" deviation over {len(result['seeds'])} seeds; the lowest of all is {result['best']:.4f}. All of the epochs:"
        f" what {result['trials']} trials take in full, stopped early with patience {result['patience']}"
        f" ({_whole(result['spent'])}). Last column: median (and how many seeds came to it),"
        f" share of the first row's epochs. Ranks of early losses agree with those at the end to {agree} epochs"
        " (Spearman).",
        "",
    ]
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    if not values or not all(map(math.isfinite, values)):
        return ""
    return f"{mean(values):.4f} ± {stdev(values):.4f}"


def _reached(epochs: list[int | None], spent: list[int]) -> str:
    """The median over seeds; a seed that never came to it counts as later than any that did."""
    middle = median(math.inf if one is None else one for one in epochs)
    share = median(math.inf if one is None else one / all for one, all in zip(epochs, spent, strict=True))
    came = f"{sum(one is not None for one in epochs)} of {len(epochs)}"
    return f"{middle:.0f} ({came}), {share:.0%}" if math.isfinite(middle) else f"not reached ({came})"


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
