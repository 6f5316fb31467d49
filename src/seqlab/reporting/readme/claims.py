"""`python -m seqlab.reporting.readme.claims README.md FOLDER`: writes the results of the claims between their marks.

From the reference files in FOLDER: into README the architectures side by side and how each claim was judged, into the
README of the folder all figures.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.errors import InputError
from seqlab.reporting import power_law_table
from seqlab.reporting.readme.architecture_table import architectures
from seqlab.reporting.readme.costs import Reference, cell, compute, machine, search_cost
from seqlab.reproduction.claim import ORDER, with_profile
from seqlab.reproduction.reference import deciding, remake
from seqlab.reproduction.reference_files import read_reference

BEGIN, END = "<!-- results: written by `make results` -->", "<!-- end of results -->"
BEGIN_ARCHITECTURES = "<!-- architectures: written by `make results` -->"
END_ARCHITECTURES = "<!-- end of architectures -->"

WORDS = {True: "yes", False: "no", None: "–"}


def read_references(folder: Path) -> dict[str, Reference]:
    """The content of every reference file by its name, in the order of the claims.

    Raises:
        InputError: a file does not hold the result of a claim.
    """
    references = [(path.name, read_reference(path)) for path in folder.glob("*.json")]
    return dict(sorted(references, key=lambda one: (ORDER.find(one[0][0]), one[0])))


def summary(references: Mapping[str, Reference]) -> str:
    """README's table of claims: how each was judged. What only states figures, without a criterion, is no claim."""
    claims = [one for one in references.values() if deciding(one)]
    if not claims:
        return ""
    return TextTable(["claim", "verdict", "command"], "lll", rows=map(_row, claims)).markdown()


def details(references: Mapping[str, Reference]) -> str:
    """The criteria of every claim, and all figures of its runs."""
    return "\n".join(_claim(content, file) for file, content in references.items())


def _row(content: Reference) -> list[str]:
    """One of the table of all claims; of one that does not hold, the first criterion that failed."""
    runs = sum(len(group["seeds"]) for group in content["groups"])
    planned = sum(group["expected_runs"] for group in content["groups"])
    verdict, criteria = content["verdict"], deciding(content)
    failed = next((one for one in criteria if one["holds"] is False), None)
    if failed is not None:
        verdict += f": {failed['text']}: {failed['measured']}"
    elif verdict == "holds":
        verdict += f", by {len(criteria)} {'criterion' if len(criteria) == 1 else 'criteria'}"
    elif "why" in content:
        verdict += f": {content['why']}"
    if runs != planned:
        verdict += f" ({runs} of {planned} runs)"
    return [f"**{_name(content)}** {content['title']}. {content['text']}", verdict, f"`{remake(content)}`"]


def _name(content: Reference) -> str:
    return with_profile(content["claim"], content["profile"], "{} ({})")


def _claim(content: Reference, file: str) -> str:
    """The criteria of one claim, and its figures by group."""
    profile = content["profile"]
    criteria = [[o["text"], o["expected"], o["measured"], WORDS[o["holds"]]] for o in content["criteria"]]
    columns = {
        name: title
        for name, title in content["columns"].items()
        if any(name in g["figures"] for g in content["groups"])
    }
    searched = any("search" in group for group in content["groups"])
    rows = [
        [f"`{group['label']}`: {group['title']}", _seeds(group["seeds"])]
        + [cell(group, name) for name in columns]
        + [compute(group)]
        + ([search_cost(group)] if searched else [])
        for group in content["groups"]
    ]
    heads = ["runs", "seeds", *columns.values(), "TFLOP of training", *(["search before"] if searched else [])]
    partial = f" {content['partial'][0].upper()}{content['partial'][1:]}." if "partial" in content else ""
    return "\n".join(
        [
            f"## {_name(content)} · {content['title']}",
            "",
            f"{content['text']} ({content['source']})",
            "",
            _table(["criterion", "expected", "measured", "holds"], criteria),
            _table(heads, rows),
            *(
                part
                for fit in content.get("power_laws", ())
                for part in (_table(power_law_table.HEADS, power_law_table.rows(fit)), power_law_table.NOTE, "")
            ),
            f"Profile {profile}, mean ± sample standard deviation over seeds.{partial} {machine(content)}."
            f" File: [{file}]({file}), with the command of each run.",
            "",
        ]
    )


def _seeds(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds)) or "none"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return TextTable(heads, "l" * len(heads), rows=rows).markdown()


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
    details_file = folder / "README.md"
    try:
        references = read_references(folder)
        front = with_results(readme.read_text(encoding="utf-8"), summary(references))
        front = with_results(front, architectures(references), BEGIN_ARCHITECTURES, END_ARCHITECTURES)
        all_figures = with_results(details_file.read_text(encoding="utf-8"), details(references))
    except (InputError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(InputError.exit_code)
    write_atomically(readme, front)
    write_atomically(details_file, all_figures)
    print(f"results of {folder} written into {readme} and {details_file}")


if __name__ == "__main__":
    main()
