"""The schemas of what is made of finished runs: digests, references of claims, sweeps and replayed searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqlab.runs.json_checks import (
    UnfitError,
    anything,
    fields_of,
    list_of,
    mapping_of,
    number,
    optional,
    record,
    scalar,
    some,
    text,
    truth,
    whole,
)
from seqlab.runs.result import FIGURES, RunResult

Digest = Mapping[str, Any]
"""A finished run as plain data: the facts of its `result.json` and what its other files say (see `run_digest`)."""

ROW = record(
    {"from": whole, "to": whole, "count": whole},
    {"exact_match": number, "token_accuracy": number, "bleu": number, "chrf": number},
)
SAMPLE = record(
    {"source": text, "prediction": text, "reference": text},
    {
        "match": truth,
        "class": text,
        "continued": truth,
        "source_tokens": list_of(text),
        "output_tokens": list_of(text),
        "attention": mapping_of(list_of(list_of(number))),
    },
)
_REQUIRED, _FACTS = fields_of(RunResult)
DIGEST = record(
    {**_REQUIRED, "command": text},
    {
        **_FACTS,
        "folder": text,
        "overrides": mapping_of(text),
        "curve": list_of(FIGURES),
        "test_set": text,
        "by_length": record({"rows": list_of(ROW), "split": text}),
        "failures": record({"rule": whole, "counts": mapping_of(whole)}),
        "correct": list_of(whole),
        "lengths": list_of(whole),
        "bleu_statistics": list_of(list_of(whole)),
        "samples": list_of(SAMPLE),
    },
)

SEARCHED = record(
    {"trainings": whole, "epochs": whole, "seconds": number, "chosen": list_of(text)},
    {"flops": optional(number), "tokens": optional(number), "space": mapping_of(text), "trials": mapping_of(whole)},
)
"""What a search before the runs of a group chose, and what it cost."""
GROUP = record(
    {"label": text, "command": text, "runs": list_of(DIGEST)},
    {"title": optional(text), "search": SEARCHED, "seconds": optional(record({"mean": number}))},
)
CRITERION = record(
    {"text": text, "expected": text, "measured": text, "holds": optional(truth)}, {"why": optional(text)}
)
TEST = record(
    {"a": text, "b": text, "metric": text, "difference": number, "p": optional(number), "samples": number},
    {"interval": list_of(number)},
)
REFERENCE = record(
    {
        "claim": text,
        "profile": text,
        "verdict": text,
        "criteria": list_of(CRITERION),
        "groups": list_of(GROUP),
    },
    {
        **dict.fromkeys(("title", "text", "source"), text),
        **dict.fromkeys(("part_of", "why", "partial"), optional(text)),
        "published": list_of(text),
        "significance": list_of(TEST),
        "seconds": number,
        "machine": optional(mapping_of(scalar)),
    },
)
"""The committed result of a claim."""


def by_step(value: Any) -> None:
    """A mapping from steps, written as text, to numbers."""
    mapping_of(number)(value)
    for key in value:
        if not key.isascii() or not key.isdecimal():
            raise UnfitError("steps", key)


TRIAL = record(
    {
        "number": whole,
        "state": text,
        "value": optional(number),
        "steps": whole,
        "parameters": mapping_of(anything),
        "reported": by_step,
        "baseline": truth,
    },
    {"pauses": list_of(record({"step": whole, "promoted": truth})), "values": list_of(number)},
)
SWEEP = record(
    {
        "study": text,
        "command": text,
        "direction": text,
        "rungs": list_of(whole),
        "best": optional(whole),
        "parameters": list_of(text),
        "importance": mapping_of(number),
        "trials": list_of(TRIAL),
    },
    {"commit": optional(text), "objectives": mapping_of(text), "pareto": list_of(whole)},
)
"""A search, as `sweep_digest.digest_sweep` sums it up; the last two are there if it has several objectives."""

SEARCH = record(dict.fromkeys(("half", "same", "reached", "interval"), list_of(optional(number))))
_TASK = record(
    {
        "task": text,
        "axes": mapping_of(list_of(scalar)),
        "rank_correlation": FIGURES,
        "searches": some(mapping_of(SEARCH)),
        **dict.fromkeys(("epochs", "best", "budget", "target"), number),
    }
)
_REPLAY = record(
    {
        "seeds": some(list_of(whole)),
        "tasks": some(list_of(_TASK)),
        **dict.fromkeys(("patience", "trials"), number),
    }
)


def replay(value: Any) -> None:
    """Ways of searching on recorded curves: all on the same number of seeds, two or more."""
    _REPLAY(value)
    count = len(value["seeds"])
    for task in value["tasks"]:
        if count < 2 or task["budget"] <= 0 or None in task["rank_correlation"].values():
            raise UnfitError("figures of two or more seeds", task["budget"])
        for name, search in task["searches"].items():
            if {len(search["reached"]), len(search["half"]), len(search["same"])} != {count}:
                raise UnfitError(f"{count} seeds in “{name}”", search["reached"])
            if len(search["interval"]) != 2:
                raise UnfitError(f"two ends of an interval in “{name}”", search["interval"])
