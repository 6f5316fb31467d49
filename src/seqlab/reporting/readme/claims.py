"""`python -m seqlab.reporting.readme.claims README.md FOLDER`: writes the results of the claims between their marks.

From the reference files in FOLDER: into README the architectures side by side and how each claim was judged, into the
README of the folder all figures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.errors import InputError
from seqlab.reporting.page.scaling import HEADS, NOTE
from seqlab.reporting.page.scaling import rows as law_rows
from seqlab.reproduction.claim import ORDER
from seqlab.reproduction.claim_figures import written
from seqlab.reproduction.reference import remake

BEGIN, END = "<!-- results: written by `make results` -->", "<!-- end of results -->"
BEGIN_ARCHITECTURES = "<!-- architectures: written by `make results` -->"
END_ARCHITECTURES = "<!-- end of architectures -->"
SIDE_BY_SIDE = "S_full.json"
"""The reference whose runs differ in their architecture alone."""

WORDS = {True: "yes", False: "no", None: "–"}
EXACT_MATCH = "metrics.test.free_running/exact_match"
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
    """README's table of claims: how each was judged. What only states figures, without a criterion, is no claim."""
    claims = [one for one in references.values() if deciding(one)]
    if not claims:
        return ""
    return TextTable(["claim", "verdict", "command"], "lll", rows=map(_row, claims)).markdown()


def architectures(reference: Reference) -> str:
    """README's table of architectures, from the reference that compares them side by side."""
    table = TextTable(["`model=`", "exact match on test", "parameters", "TFLOP of training"], "lrrr")
    for group in reference["groups"]:
        figures = group["figures"]
        cells = (written(name, figures[name]) for name in (EXACT_MATCH, "parameters"))
        table.add(f"`{group['label']}`: {group['title']}", *cells, _compute(group))
    seeds = max(len(group["seeds"]) for group in reference["groups"])
    note = (
        f"Mean ± sample standard deviation over {seeds} seeds. TFLOP: a million million operations of training's matrix"
        f" products. {_machine(reference)}. `{remake(reference)}` repeats it."
    )
    return f"{table.markdown()}\n{note}\n"


def details(references: Mapping[str, Reference]) -> str:
    """The criteria of every claim, and all figures of its runs."""
    return "\n".join(_claim(content, file) for file, content in references.items())


def _read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not {"claim", "criteria", "groups"} <= set(content):
        raise InputError(f"{path}: not the result of a claim; `make reproduce` writes these files")
    return dict(content)


def deciding(content: Reference) -> list[Mapping[str, Any]]:
    """The criteria of a claim that could have failed; a reference without one is a comparison, and no claim."""
    return [one for one in content["criteria"] if one["expected"] != STATED]


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
    return str(content["claim"]) + (f" ({content['profile']})" if content["profile"] != "cpu" else "")


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
        + [written(name, group["figures"][name]) if name in group["figures"] else "–" for name in columns]
        + [_compute(group)]
        + ([_search(group)] if searched else [])
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
            *(part for fit in content.get("power_laws", ()) for part in (_table(HEADS, law_rows(fit)), NOTE, "")),
            f"Profile {profile}, mean ± sample standard deviation over seeds.{partial} {_machine(content)}."
            f" File: [{file}]({file}), with the command of each run.",
            "",
        ]
    )


def _machine(content: Reference) -> str:
    """Device, threads and versions of the runs."""
    environment = content["environment"]
    return (
        f"{environment['device']}, threads: {environment['threads']}, torch {environment['torch']},"
        f" commit {_commits(content)}"
    )


def _commits(content: Reference) -> str:
    """The commits of all runs: a run that finished before the code changed may have an older one."""
    runs = [run for group in content["groups"] for run in group["runs"]]
    return ", ".join(dict.fromkeys(str(run["environment"]["commit"])[:12] for run in runs))


def _seeds(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds)) or "none"


SMALLEST = 0.1
"""TFLOP; fewer are not told apart."""


def _compute(group: Mapping[str, Any]) -> str:
    """The operations of training, in the mean over seeds. Unlike its seconds they depend on no other work beside it."""
    operations = [run["training"]["flops"] for run in group["runs"]]
    if not operations or None in operations:
        return "–"
    mean = sum(operations) / len(operations) / 1e12
    return f"{mean:.1f}" if mean >= SMALLEST else f"below {SMALLEST}"


def _search(group: Mapping[str, Any]) -> str:
    """What the search before the runs of a group cost."""
    if (search := group.get("search")) is None:
        return "none"
    pruned = search["trials"].get("pruned", 0)
    parts = [f"{search['trainings']} trainings ({pruned} pruned)", f"{search['epochs']:,} epochs"]
    parts += [f"{search['seconds']:,.0f} s"]
    parts += [f"{search['flops'] / 1e12:.3g} TFLOP"] if search.get("flops") is not None else []
    return ", ".join(parts)


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
        if SIDE_BY_SIDE in references:
            table = architectures(references[SIDE_BY_SIDE])
            front = with_results(front, table, BEGIN_ARCHITECTURES, END_ARCHITECTURES)
        all_figures = with_results(details_file.read_text(encoding="utf-8"), details(references))
    except (InputError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(InputError.exit_code)
    write_atomically(readme, front)
    write_atomically(details_file, all_figures)
    print(f"results of {folder} written into {readme} and {details_file}")


if __name__ == "__main__":
    main()
