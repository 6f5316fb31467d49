"""The data of the page's sentence explorer: every architecture's output and attention side by side."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hydra_pruning_sweeper.quoting import quoted, typed_path
from seqlab.folders import find_bundle
from seqlab.reporting.page.group_names import colours, named
from seqlab.reporting.page.groups import RunGroup, by_dataset
from seqlab.reporting.page.headings import heading, title
from seqlab.reproduction.reference import remake

PLAY_ADDRESS = "http://127.0.0.1:8484/"
"""Where `seqlab-play` answers, if no other port is typed."""


def sentences(groups: Sequence[RunGroup]) -> list[dict[str, Any]]:
    """An entry per dataset: its `groups` (id, name, colour), `play` and `sentences`; those with runs of the user's come
    first, the newest before others, and then the one with most to see.

    A sentence has `source`, `reference` and `outputs`. An output has the number of its group, its `prediction`, its
    `class`, whether it is the reference (`match`) and, for a model with attention, the tokens of both sides and `maps`:
    for each name whole percents, a row per output token. Of several seeds the first is shown.

    `play` is the command that opens the models of the runs to play with, their `data`, and the names of those groups
    whose models are not on this machine; None if none is.
    """
    explored: list[tuple[bool, dict[str, Any]]] = []
    for some in by_dataset([one for one in groups if one.runs[0].get("samples")]).values():
        names, paints = named(some), colours(some)
        rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for number, one in enumerate(some):
            for sample in one.runs[0]["samples"]:
                rows.setdefault((sample["source"], sample["reference"]), []).append(_output(number, sample))
        data = {
            "title": title(some),
            "continued": any(sample.get("continued") for sample in some[0].runs[0]["samples"]),
            "groups": [{"id": one.id, "name": names[one.id], "colour": paints[one.id]} for one in some],
            "play": _play(some, names),
            "sentences": [
                {"source": source, "reference": reference, "outputs": outputs}
                for (source, reference), outputs in rows.items()
            ],
        }
        explored.append((any(one.is_users for one in some), data))
    yours = [data for is_users, data in explored if is_users]
    references = [data for is_users, data in explored if not is_users]
    return [*yours, *sorted(references, key=_richness, reverse=True)]


def _play(groups: Sequence[RunGroup], names: Mapping[str, str]) -> dict[str, Any] | None:
    folders = {one.id: one.folders[0] for one in groups if one.folders and find_bundle(one.folders[0])}
    if not folders:
        return None
    runs = ",".join(_typed(str(typed_path(folder))) for folder in folders.values())
    return {
        "command": shlex.join(["seqlab-play", f"runs=[{runs}]"]),
        "data": groups[0].results[0].data or "",
        "missing": [names[one.id] for one in groups if one.id not in folders],
    }


def _typed(path: str) -> str:
    return path if re.fullmatch(r"[\w./+-]+", path, re.ASCII) else quoted(path)


def unsampled(groups: Sequence[RunGroup], claims: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """(datasets, command): datasets whose texts may not be published, and the command that makes their samples."""
    commands: dict[str, list[str]] = {}
    for some in by_dataset(groups).values():
        counted = [one for one in some if one.claim and any(run.get("failures") for run in one.runs)]
        if counted and not any(run.get("samples") for one in some for run in one.runs):
            command = next(remake(claim) for claim in claims if counted[0].is_of(claim))
            commands.setdefault(command, []).append(heading(some[0]))
    return [("; ".join(names), command) for command, names in commands.items()]


def _richness(data: dict[str, Any]) -> tuple[int, int]:
    """How much there is to see: the number of architectures with attention, then of all."""
    attending = {output["group"] for one in data["sentences"] for output in one["outputs"] if "maps" in output}
    return len(attending), len(data["groups"])


def _output(group: int, sample: dict[str, Any]) -> dict[str, Any]:
    output: dict[str, Any] = {"group": group, "prediction": sample["prediction"], "class": sample.get("class", "")}
    if "match" in sample:
        output["match"] = sample["match"]
    maps = sample.get("attention")
    if maps and sample.get("source_tokens") and sample.get("output_tokens"):
        output["sources"], output["tokens"] = sample["source_tokens"], sample["output_tokens"]
        output["maps"] = {name: [[round(100 * share) for share in row] for row in rows] for name, rows in maps.items()}
    return output


def classes(explored: Sequence[dict[str, Any]], groups: Sequence[RunGroup]) -> list[str]:
    """All classes that occur among the outputs, in the order of the rule that assigns them."""
    occurring = {output["class"] for data in explored for one in data["sentences"] for output in one["outputs"]}
    known = [name for one in groups for run in one.runs for name in run.get("failures", {}).get("counts", ())]
    return [name for name in dict.fromkeys([*known, *sorted(occurring)]) if name and name in occurring]
