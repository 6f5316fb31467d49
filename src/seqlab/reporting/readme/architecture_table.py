"""README's table of what each architecture buys, from the comparison of equally tuned ones (claim M)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hydra_pruning_sweeper.text_table import TextTable
from seqlab.reporting.readme.costs import Reference, cell, compute, machine, teraflops
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
NONE: dict[str, Any] = {"figures": {}, "seeds": []}
"""A group that was not run."""
COSTS = {"mebibytes": "MiB of memory", "outputs_per_second": "outputs/s"}


def architectures(captions: Reference, reversal: Reference) -> str:
    """The table, a row per architecture, and below it what its figures are.

    Args:
        captions, reversal: the references of the two tasks; an architecture that the second lacks has empty cells.
    """
    heads = ["`model=`", *OF_CAPTIONS.values(), *OF_REVERSAL.values(), "TFLOP of training", "of the search"]
    heads += COSTS.values()
    table = TextTable(heads, "l" + "r" * (len(heads) - 1))
    lists = {group["label"]: group for group in reversal["groups"]}
    tuned = [group for group in captions["groups"] if group["label"].endswith(TUNED) and group["runs"]]
    for group in tuned:
        name, of_lists = group["label"].removesuffix(TUNED), lists.get(group["label"], NONE)
        table.add(
            f"`{name}`: {group['title'].removesuffix(', tuned')}",
            *(cell(group, figure) for figure in OF_CAPTIONS),
            *(cell(of_lists, figure) for figure in OF_REVERSAL),
            compute(group),
            teraflops(group.get("search", {}).get("flops")),
            *(cell(group, figure) for figure in COSTS),
        )
    return f"{table.markdown()}\n{_note(captions, reversal, tuned)}\n"


def _note(captions: Reference, reversal: Reference, tuned: Iterable[Mapping[str, Any]]) -> str:
    counts = sorted({len(group["seeds"]) for group in tuned})
    seeds = " to ".join(map(str, counts[:1] + counts[1:][-1:]))
    most = max(group["figures"]["parameters"]["mean"] for group in tuned)
    partial = f" Not complete: of captions, {captions['partial']}." if "partial" in captions else ""
    where = dict.fromkeys(machine(one) for one in (captions, reversal))
    return (
        f"Mean ± sample standard deviation over seeds ({seeds} of captions). Costs are of captions, where no model"
        f" has more than {most:,.0f} parameters; TFLOP: a million million operations of matrix products; memory: of the"
        f" whole process at most in training; outputs/s: captions translated per second, greedily; in"
        f" parentheses, how many seeds recorded a cost.{partial}"
        f" {'; '.join(where)}. `{remake(captions)}` repeats it."
    )
