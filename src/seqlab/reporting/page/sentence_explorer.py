"""Sentences to step through: every architecture's output and attention side by side, as data for the page's script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqlab.reporting.page.groups import RunGroup, by_dataset, colours, named


def sentences(groups: Sequence[RunGroup]) -> list[dict[str, Any]]:
    """A dataset each: its `groups` (id, name, colour) and `sentences`; the one that shows most comes first.

    A sentence has `source`, `reference` and `outputs`. An output has the number of its group, what it `said`, its
    `class`, whether it is the reference (`match`) and, of a model that looks, the tokens of both sides and `maps`: of
    each name whole percents, a row an output token. Of several seeds the first speaks.
    """
    found = []
    for dataset, some in by_dataset([one for one in groups if one.runs[0].get("samples")]).items():
        names, paints = named(some), colours(some)
        rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for number, one in enumerate(some):
            for sample in one.runs[0]["samples"]:
                rows.setdefault((sample["source"], sample["reference"]), []).append(_output(number, sample))
        found.append(
            {
                "title": dataset,
                "continued": any(sample.get("continued") for sample in some[0].runs[0]["samples"]),
                "groups": [{"id": one.id, "name": names[one.id], "colour": paints[one.id]} for one in some],
                "sentences": [
                    {"source": source, "reference": reference, "outputs": outputs}
                    for (source, reference), outputs in rows.items()
                ],
            }
        )
    return sorted(found, key=_shows, reverse=True)


def unsampled(groups: Sequence[RunGroup]) -> list[tuple[str, str]]:
    """Datasets whose outputs were sorted but not kept, as they are somebody else's text, and what brings them."""
    found = {}
    for dataset, some in by_dataset(groups).items():
        counted = [one for one in some if one.claim and any(run.get("failures") for run in one.runs)]
        if counted and not any(run.get("samples") for one in some for run in one.runs):
            found[dataset] = f"make reproduce-{counted[0].claim}"
    return [*found.items()]


def _shows(data: dict[str, Any]) -> tuple[int, int]:
    """How much there is to see: architectures, those with attention first."""
    looking = {output["group"] for one in data["sentences"] for output in one["outputs"] if "maps" in output}
    return len(looking), len(data["groups"])


def _output(group: int, sample: dict[str, Any]) -> dict[str, Any]:
    output: dict[str, Any] = {"group": group, "said": sample["prediction"], "class": sample.get("class", "")}
    if "match" in sample:
        output["match"] = sample["match"]
    maps = sample.get("attention")
    if maps and sample.get("source_tokens") and sample.get("output_tokens"):
        output["sources"], output["tokens"] = sample["source_tokens"], sample["output_tokens"]
        output["maps"] = {name: [[round(100 * share) for share in row] for row in rows] for name, rows in maps.items()}
    return output


def classes(found: Sequence[dict[str, Any]], groups: Sequence[RunGroup]) -> list[str]:
    """All classes that occur among outputs, in the order of the rule's."""
    occurring = {output["class"] for data in found for one in data["sentences"] for output in one["outputs"]}
    known = [name for one in groups for run in one.runs for name in run.get("failures", {}).get("counts", ())]
    return [name for name in dict.fromkeys([*known, *sorted(occurring)]) if name and name in occurring]
