"""README's table of what each architecture buys, from the comparison of equally tuned ones (claim M)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hydra_pruning_sweeper.text_table import TextTable
from seqlab.reporting.readme.costs import Reference, compute, machine, teraflops
from seqlab.reproduction.claim_figures import written
from seqlab.reproduction.reference import remake

CAPTIONS, REVERSAL = "M_multi30k.json", "M_reversal.json"
"""The two tasks of the comparison that the table is made of."""
TUNED = "_tuned"
"""At the end of the label of a group whose settings were searched for."""

OF_CAPTIONS = {
    "metrics.test.free_running/token_bleu": "captions: BLEU",
    "metrics.test.beam/token_bleu": "with a beam of 5",
    "token_bleu_of_length.21-": "sources above 20 words",
}
OF_REVERSAL = {
    "exact_match_of_length.1-10": "lists of 1 to 10: all right",
    "exact_match_of_length.11-20": "of 11 to 20",
}


def architectures(captions: Reference, reversal: Reference) -> str:
    """The table, a row per architecture, and below it what its figures are.

    Args:
        captions, reversal: the references of the two tasks; an architecture that the second lacks has empty cells.
    """
    costs = ["TFLOP of training", "of the search"]
    table = TextTable(["`model=`", *OF_CAPTIONS.values(), *OF_REVERSAL.values(), *costs], "l" + "r" * 7)
    lists = {group["label"]: group["figures"] for group in reversal["groups"]}
    tuned = [group for group in captions["groups"] if group["label"].endswith(TUNED) and group["runs"]]
    for group in tuned:
        name, figures = group["label"].removesuffix(TUNED), group["figures"]
        cells = [*_cells(figures, OF_CAPTIONS), *_cells(lists.get(group["label"], {}), OF_REVERSAL)]
        table.add(
            f"`{name}`: {group['title'].removesuffix(', tuned')}",
            *cells,
            compute(group),
            teraflops(group.get("search", {}).get("flops")),
        )
    return f"{table.markdown()}\n{_note(captions, reversal, tuned)}\n"


def _cells(figures: Mapping[str, Any], columns: Iterable[str]) -> list[str]:
    return [written(name, figures[name]) if name in figures else "–" for name in columns]


def _note(captions: Reference, reversal: Reference, tuned: Iterable[Mapping[str, Any]]) -> str:
    counts = sorted({len(group["seeds"]) for group in tuned})
    seeds = " to ".join(map(str, counts[:1] + counts[1:][-1:]))
    most = max(group["figures"]["parameters"]["mean"] for group in tuned)
    partial = f" Not complete: of captions, {captions['partial']}." if "partial" in captions else ""
    where = dict.fromkeys(machine(one) for one in (captions, reversal))
    return (
        f"Mean ± sample standard deviation over seeds ({seeds} of captions). Costs are of captions, where no model"
        f" has more than {most:,.0f} parameters; TFLOP: a million million operations of matrix products.{partial}"
        f" {'; '.join(where)}. `{remake(captions)}` repeats it."
    )
