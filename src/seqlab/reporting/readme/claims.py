"""`python -m seqlab.reporting.readme.claims README.md FOLDER`: writes the results of the claims.

It reads the reference files in FOLDER. The verdict on each claim goes into README, all figures go into FOLDER's README.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.messages import duration
from seqlab.errors import InputError
from seqlab.reproduction.claim import ORDER
from seqlab.reproduction.claim_figures import written
from seqlab.reproduction.reference import remake

BEGIN, END = "<!-- results: written by `make results` -->", "<!-- end of results -->"
HEAD = "# What the claims came to\n\nWritten by `make results` from the files beside it.\n\n"
WORDS = {True: "yes", False: "no", None: "–"}
STATED = "stated"
"""The expectation of a criterion that decides nothing, but reports figures."""

Reference = Mapping[str, Any]


def read_references(folder: Path) -> dict[str, Reference]:
    """The content of every reference file by its name, in the order of the claims.

    Raises:
        InputError: a file does not hold the result of a claim.
    """
    references = [(path.name, _read(path)) for path in folder.glob("*.json")]
    return dict(sorted(references, key=lambda one: (ORDER.find(one[0][0]), one[0])))


def summary(references: Mapping[str, Reference]) -> str:
    """README's tables: one row per claim, and one per criterion that decided."""
    if not references:
        return ""
    claims = _table(["claim", "verdict", "runs", "time of all runs", "command"], map(_row, references.values()))
    criteria = [
        [f"**{_name(content)}**", one["text"], one["expected"], one["measured"], WORDS[one["holds"]]]
        for content in references.values()
        for one in content["criteria"]
        if one["expected"] != STATED
    ]
    return claims + "\n" + _table(["claim", "criterion", "expected", "measured", "holds"], criteria)


def details(references: Mapping[str, Reference]) -> str:
    """The criteria of every claim, and all figures of its runs."""
    return "\n".join(_claim(content, file) for file, content in references.items())


def _read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not {"claim", "criteria", "groups"} <= set(content):
        raise InputError(f"{path}: not the result of a claim; `make reproduce` writes these files")
    return dict(content)


def _row(content: Reference) -> list[str]:
    """A claim's row in the table of all claims."""
    runs = sum(len(group["seeds"]) for group in content["groups"])
    expected = sum(group["expected_runs"] for group in content["groups"])
    undecided = any(one["holds"] is None for one in content["criteria"])  # the criteria explain any other verdict
    why = f": {content['why']}" if undecided and "why" in content else ""
    return [
        f"**{_name(content)}** {content['title']}",
        f"{content['verdict']}{why}",
        str(runs) if runs == expected else f"{runs} of {expected}",
        duration(content["seconds"]),
        f"`{remake(content)}`",
    ]


def _name(content: Reference) -> str:
    return str(content["claim"]) + (f" ({content['profile']})" if content["profile"] != "cpu" else "")


def _claim(content: Reference, file: str) -> str:
    """The criteria of one claim, and its figures by group."""
    environment, profile = content["environment"], content["profile"]
    criteria = [[o["text"], o["expected"], o["measured"], WORDS[o["holds"]]] for o in content["criteria"]]
    columns = {
        name: title
        for name, title in content["columns"].items()
        if any(name in g["figures"] for g in content["groups"])
    }
    rows = [
        [f"`{group['label']}`: {group['title']}", _seeds(group["seeds"])]
        + [written(name, group["figures"][name]) if name in group["figures"] else "–" for name in columns]
        + [_took(group)]
        for group in content["groups"]
    ]
    partial = f" {content['partial'][0].upper()}{content['partial'][1:]}." if "partial" in content else ""
    return "\n".join(
        [
            f"## {_name(content)} · {content['title']}",
            "",
            f"{content['text']} ({content['source']})",
            "",
            _table(["criterion", "expected", "measured", "holds"], criteria),
            _table(["runs", "seeds", *columns.values(), "seconds a run"], rows),
            f"Profile {profile}, mean ± sample standard deviation over seeds.{partial} {environment['device']},"
            f" threads: {environment['threads']}, torch {environment['torch']}, commit {_commits(content)}."
            f" File: [{file}]({file}), with the command of each run.",
            "",
        ]
    )


def _commits(content: Reference) -> str:
    """The commits of all runs: a run that finished before the code changed may have an older one."""
    runs = [run for group in content["groups"] for run in group["runs"]]
    return ", ".join(dict.fromkeys(str(run["environment"]["commit"])[:12] for run in runs))


def _seeds(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds)) or "none"


def _took(group: Mapping[str, Any]) -> str:
    seconds = group["seconds"]
    if seconds is None:
        return "–"
    return f"{seconds['mean']:.0f}" + (f" ± {seconds['sd']:.0f}" if len(seconds["values"]) > 1 else "")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *escaped)]
    return "\n".join(lines) + "\n"


def with_results(readme: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """`readme` with the text between its two marks replaced.

    Raises:
        InputError: the marks are missing.
    """
    before, begun, rest = readme.partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise InputError(f"README: the lines {begin!r} and {end!r} mark where results go, but are not there")
    return f"{before}{begin}\n\n{table}\n{end}{after}"


def main() -> None:
    """The command line."""
    readme, folder = map(Path, sys.argv[1:3])
    try:
        references = read_references(folder)
        content = with_results(readme.read_text(encoding="utf-8"), summary(references))
    except (InputError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(InputError.exit_code)
    write_atomically(readme, content)
    write_atomically(folder / "README.md", HEAD + details(references))
    print(f"results of {folder} written into {readme} and {folder / 'README.md'}")


if __name__ == "__main__":
    main()
