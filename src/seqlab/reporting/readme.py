"""`python -m seqlab.reporting.readme README.md FOLDER`: writes README's results from the reference files in FOLDER."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from seqlab.errors import InputError
from seqlab.files import write_atomically

BEGIN, END = "<!-- results: written by `make results` -->", "<!-- end of results -->"

ROWS = {
    "free_running/token_accuracy_with_filler": "accuracy over all ten positions, free-running",
    "free_running/token_accuracy": "accuracy without the zeros that fill up, free-running",
    "free_running/exact_match": "exact match, free-running",
    "teacher_forced/token_accuracy": "accuracy, teacher-forced",
}


def results(folder: Path) -> str:
    """The results of every reference file, as Markdown."""
    files = sorted(folder.glob("*.json"))
    return "\n".join(_table(json.loads(path.read_text(encoding="utf-8")), path.name) for path in files)


def _table(reference: dict[str, Any], file: str) -> str:
    metrics = reference["metrics"]
    lines = [
        f"**{reference['name']}**, mean ± standard deviation over seeds {', '.join(map(str, reference['seeds']))}:",
        "",
        "| metric | " + " | ".join(metrics) + " |",
        "|---|" + "---|" * len(metrics),
    ]
    for name, title in ROWS.items():
        cells = [_cell(values[name]) for values in metrics.values() if name in values]
        if cells:
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    environment, seconds = reference["environment"], reference["seconds"]
    lines += [
        "",
        f"{reference['epochs']} epochs on {reference['examples']['train']:,} training examples,"
        f" {reference['parameters']:,} parameters, {seconds['mean']:.0f} ± {seconds['sd']:.0f} s a run on"
        f" {environment['threads']} threads with torch {environment['torch']}, commit {environment['commit']}."
        f" Command: `{reference['command']}`; file: `outputs/reference/{file}`.",
        "",
    ]
    return "\n".join(lines)


def _cell(value: dict[str, Any]) -> str:
    return f"{value['mean']:.2%} ± {value['sd']:.2%}"


def with_results(readme: str, table: str) -> str:
    """`readme` with what stands between its two marks replaced.

    Raises:
        InputError: the marks are not there.
    """
    before, found, rest = readme.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise InputError(f"README: the lines {BEGIN!r} and {END!r} mark where results go, but are not there")
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def main() -> None:
    """The command line."""
    readme, folder = map(Path, sys.argv[1:3])
    write_atomically(readme, with_results(readme.read_text(encoding="utf-8"), results(folder)))
    print(f"results of {folder} written into {readme}")


if __name__ == "__main__":
    main()
