"""`python -m seqlab.reporting.readme.replay README.md FILE`: writes the comparison of searches in FILE into README."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import mean
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.reporting.readme.claims import with_results
from seqlab.reporting.replay_table import HEADS, heading, note, rows, share_of_first, share_text

BEGIN, END = "<!-- replay: written by `make replay` -->", "<!-- end of replay -->"


def tables(result: dict[str, Any]) -> str:
    """The comparison on each task, as Markdown."""
    parts = [
        f"**{heading(task)}**\n\n{TextTable(HEADS, 'l' * len(HEADS), rows=rows(task)).markdown()}\n{note(task, result)}"
        for task in result["tasks"]
    ]
    return "\n\n".join([over_tasks(result["tasks"]), *parts]) + "\n"


def over_tasks(tasks: list[dict[str, Any]]) -> str:
    """Epochs to the target as a share of the first search's, task by task, and their mean; as Markdown."""
    shares = [share_of_first(task) for task in tasks]
    table = TextTable(["search", *(task["task"] for task in tasks), "mean"], "l" + "r" * (len(tasks) + 1))
    for name in shares[0]:
        cells = [one[name] for one in shares]
        table.add(name, *map(share_text, [*cells, mean(cells)]))
    first = next(iter(shares[0]))
    return (
        f"{table.markdown()}\nMedian epochs to what `{first}` ends with, as a share of its own median; – if most seeds"
        " never came to it."
    )


def main() -> None:
    """The command line."""
    readme, path = map(Path, sys.argv[1:3])
    text = tables(json.loads(path.read_text(encoding="utf-8")))
    write_atomically(readme, with_results(readme.read_text(encoding="utf-8"), text, BEGIN, END))
    print(f"comparison of {path} written into {readme}")


if __name__ == "__main__":
    main()
