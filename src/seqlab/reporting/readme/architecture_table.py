"""README's tables of what each architecture buys, from the comparison of equally tuned ones (claim M)."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra_pruning_sweeper.messages import plural
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.metrics.registry import entry_of
from seqlab.reporting.readme.costs import Reference, cell
from seqlab.reproduction.claim_figures import written
from seqlab.runs.run_figures import training_seconds
from seqlab.runs.spread import Spread

TUNED = "_tuned"
"""At the end of the label of a group whose settings were searched for."""


@dataclass(frozen=True)
class ComparedTask:
    """A task of the comparison, and what README shows of it.

    Args:
        file: the reference.
        title: what was learned, and how quality is measured.
        quality: figure → head of its column, "" for its metric's label; the first decides the order of the rows.
    """

    file: str
    title: str
    quality: Mapping[str, str]


TASKS = (
    ComparedTask(
        "M_multi30k.json",
        "German captions into English, by words. BLEU: 0 to 100, how much of the output is in a human translation",
        {
            "metrics.test.free_running/token_bleu": "",
            "metrics.test.beam/token_bleu": "with a beam of 5",
            "token_bleu_of_length.21-": "sources above 20 words",
        },
    ),
    ComparedTask(
        "M_reversal.json",
        "Lists of 1 to 10 integers, reversed, and longer ones than training showed: the share that is wholly right",
        {"exact_match_of_length.1-10": "1 to 10 integers", "exact_match_of_length.11-20": "11 to 20"},
    ),
    ComparedTask(
        "K2.json",
        "Short English sentences into French, by characters. chrF: 0 to 100, common runs of characters",
        {
            "metrics.test.free_running/chrf": "",
            "metrics.test.beam/chrf": "with a beam of 5",
            "metrics.test.copy_nearest/chrf": "chrF of copying the nearest",
        },
    ),
)
COSTS = {"mebibytes": "MiB of memory", "outputs_per_second": "outputs/s"}
NOTE = (
    "Best first; mean ± sample standard deviation over seeds. Search: all its trials with their validation, at times"
    " beside other work. Training: once, with what the search found, without validation. Memory: of the whole process"
    " at most in training; outputs/s: generated greedily (the likeliest token at each step; a beam keeps the five best"
    " beginnings), in batches. Costs but for those of searches are of the seeds that recorded them and had their cores"
    " to themselves, some of a single one. `make reproduce-M` repeats it;"
    " [all results](outputs/reference/README.md) has seeds, commits, and the same without tuning."
)


def architectures(references: Mapping[str, Reference]) -> str:
    """A table per task, a row per architecture, and below them what the figures are.

    Args:
        references: by file name; a task without one has no table.
    """
    tables = [table for task in TASKS if task.file in references if (table := _table(task, references[task.file]))]
    return "\n".join([*tables, f"{NOTE}\n"]) if tables else ""


def _table(task: ComparedTask, content: Reference) -> str:
    """The table of a task below its title; "" while none of its searched groups was run."""
    quality = [head or entry_of(figure).label for figure, head in task.quality.items()]
    heads = ["`model=`", *quality, "search, min", "training, min", *COSTS.values()]
    table = TextTable(heads, "l" + "r" * (len(heads) - 1))
    first = next(iter(task.quality))
    tuned = [one for one in content["groups"] if one["label"].endswith(TUNED) and first in one["figures"]]
    if not tuned:
        return ""
    for group in sorted(tuned, key=lambda one: -one["figures"][first]["mean"]):
        table.add(
            f"`{_name(group)}`: {group['title'].removesuffix(', tuned')}",
            *(cell(group, figure) for figure in task.quality),
            _minutes([group["search"]["seconds"]] if "search" in group else []),
            _minutes([one for run in group["runs"] if (one := training_seconds(run)) is not None]),
            *(
                written(name, Spread.from_json(group["figures"][name])) if name in group["figures"] else "–"
                for name in COSTS
            ),
        )
    return f"**{task.title}** ({_size(content, tuned)}).\n\n{table.markdown()}"


def _name(group: Mapping[str, Any]) -> str:
    """What follows `model=` in the group's command, with the mixer; its label if an experiment chooses the model."""
    words = shlex.split(group["command"])
    chosen = [word for word in words if word.startswith(("model=", "model.mixer="))]
    if not any(word.startswith("model=") for word in chosen):
        return str(group["label"].removesuffix(TUNED))
    return " ".join(chosen).removeprefix("model=")


def _size(content: Reference, groups: list[Mapping[str, Any]]) -> str:
    """How many seeds, how large the models are, what they ran on, and what is missing."""
    counts = sorted({len(group["seeds"]) for group in groups})
    most = max(group["figures"]["parameters"]["mean"] for group in groups)
    seeds = plural(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    partial = f"; not complete: {content['partial']}" if "partial" in content else ""
    where = content["environment"]
    return f"{seeds}, at most {most:,.0f} parameters, {where['device']}, threads: {where['threads']}{partial}"


def _minutes(seconds: list[float]) -> str:
    """Their mean in minutes; "–" if there are none."""
    return f"{statistics.fmean(seconds) / 60:.1f}" if seconds else "–"
