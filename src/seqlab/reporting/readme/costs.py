"""What README's tables say of how results were made: machine, commits, and the compute of training and of searches."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from seqlab.reproduction.claim_figures import written
from seqlab.runs.result import in_teraflops
from seqlab.runs.run_figures import teraflops
from seqlab.runs.spread import Spread

Reference = Mapping[str, Any]
"""The content of a reference file."""

SMALLEST = 0.1
"""TFLOP; a smaller amount is written as "below" this."""


def cell(group: Mapping[str, Any], name: str) -> str:
    """A figure of a group as a table has it: "–" if it is not known; if only some runs have it, how many."""
    if name not in group["figures"]:
        return "–"
    spread, all_runs = Spread.from_json(group["figures"][name]), len(group["seeds"])
    return written(name, spread) + (f" ({spread.count} of {all_runs})" if spread.count < all_runs else "")


def compute(group: Mapping[str, Any]) -> str:
    """The operations of training, in the mean over seeds. Unlike its seconds they depend on no other work beside it."""
    operations = [one for run in group["runs"] if (one := teraflops(run)) is not None]
    if not operations or len(operations) < len(group["runs"]):
        return "–"
    mean = statistics.fmean(operations)
    return f"{mean:.1f}" if mean >= SMALLEST else f"below {SMALLEST}"


def search_cost(group: Mapping[str, Any]) -> str:
    """What the search before the runs of a group cost."""
    if (search := group.get("search")) is None:
        return "none"
    pruned = search["trials"].get("pruned", 0)
    parts = [f"{search['trainings']} trainings ({pruned} pruned)", f"{search['epochs']:,} epochs"]
    parts += [f"{search['seconds']:,.0f} s"]
    operations = in_teraflops(search.get("flops"))
    parts += [] if operations is None else [f"{operations:.3g} TFLOP"]
    return ", ".join(parts)


def machine(content: Reference) -> str:
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
