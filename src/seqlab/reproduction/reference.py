"""The result of a claim as one small file, which is committed: figures, verdicts, and how they were made."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from seqlab.reproduction.claim import USUAL_PROFILE, Claim, Criterion, Group, with_profile
from seqlab.reproduction.claim_figures import OF_SOME_RUNS, figure
from seqlab.reproduction.criteria import (
    Finding,
    Groups,
    IncomparableError,
    Results,
    judge,
    power_law,
    power_laws,
    values_of,
)
from seqlab.runs.schemas import Digest
from seqlab.runs.spread import Spread

HEAVY = ("bleu_statistics", "correct", "lengths")
"""Entries of a digest with one value per sentence. They are left out once the significance tests have used them."""

NOT_PLOTTED = ("/perplexity", "/token_accuracy", "/objective")
"""Ends of the figures of a learning curve that no plot shows."""

STATED = "stated"
"""The expectation of a criterion that decides nothing, but reports figures."""

HOLDS, FAILS, OPEN = "holds", "does not hold", "not comparable"


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds; `why` says what fails or cannot be decided."""

    word: str
    why: str | None
    findings: Sequence[Finding]


def verdict(claim: Claim, groups: Groups) -> Verdict:
    """A claim holds if all its criteria hold, fails if one fails, and otherwise is not comparable."""
    findings = [judge(criterion, groups) for criterion in claim.criteria]
    pairs = list(zip(claim.criteria, findings, strict=True))
    if failed := [criterion.text for criterion, finding in pairs if finding.holds is False]:
        return Verdict(FAILS, "; ".join(failed), findings)
    if reasons := list(dict.fromkeys(finding.why or "" for finding in findings if finding.holds is None)):
        return Verdict(OPEN, "; ".join(reasons), findings)
    return Verdict(HOLDS, None, findings)


def reference(claim: Claim, groups: Groups, why_missing: str | None = None) -> dict[str, Any]:
    """The content of `outputs/reference/<claim>.json`.

    Args:
        groups: the finished runs by the label of their group; at least one run in all.
        why_missing: a remark on runs that are not finished.
    """
    judged = verdict(claim, groups)
    digests = [digest for results in groups.values() for digest in results.digests]
    content: dict[str, Any] = {
        "claim": claim.name,
        "part_of": claim.part_of,
        "profile": claim.profile,
        "title": claim.title,
        "text": claim.text,
        "source": claim.source,
        "published": list(claim.published),
        "verdict": judged.word,
        "why": judged.why,
        "partial": why_missing,
        "criteria": [
            {
                "text": criterion.text,
                "expected": criterion.expected,
                "measured": finding.measured,
                "holds": finding.holds,
            }
            | ({"why": finding.why} if finding.why else {})
            for criterion, finding in zip(claim.criteria, judged.findings, strict=True)
        ],
        "columns": dict(claim.columns),
        "groups": [_group(claim, group, groups[group.label]) for group in claim.groups],
        "significance": _significance(claim, groups),
        "power_laws": [law for criterion in claim.criteria if (law := _power_laws(criterion, groups))] or None,
        "environment": digests[0]["environment"],
        "machine": {"cores": os.cpu_count()},
        "seconds": sum(_seconds(digest) for digest in digests),
    }
    return {key: _short(value) for key, value in content.items() if value is not None}


def remake(content: Mapping[str, Any]) -> str:
    """The command that makes a reference anew, given its content."""
    claim = content.get("part_of", content["claim"])
    return with_profile(f"make reproduce-{claim}", content["profile"], "{} PROFILE={}")


def deciding(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The criteria of a reference that could have failed; one without them is a comparison, and no claim."""
    return [one for one in content["criteria"] if one["expected"] != STATED]


def all_seconds(content: Mapping[str, Any]) -> float:
    """Seconds of all runs of a reference, and of the searches before them, given its content."""
    searches = (group.get("search", {}).get("seconds", 0.0) for group in content["groups"])
    return float(content["seconds"] + sum(searches))


def _group(claim: Claim, group: Group, results: Results) -> dict[str, Any]:
    # Of large models, whose many heads make them large, samples are not kept.
    samples = claim.own_data and claim.profile == USUAL_PROFILE
    runs = [_thinned(digest, first=not i, samples=samples) for i, digest in enumerate(results.digests)]
    figures = {}
    drawn = [criterion.arguments[axis] for criterion in claim.criteria if _draws(criterion) for axis in "xy"]
    for name in dict.fromkeys([*claim.columns, *drawn]):
        try:
            figures[name] = values_of({group.label: _that_have(results, name)}, group.label, name).to_json()
        except IncomparableError:  # the architecture or the split does not have this figure
            continue
    search = results.search
    if search is not None:
        group = replace(group, chosen=tuple(search.chosen))
    return {
        "label": group.label,
        "title": group.title,
        "command": group.command,
        "seeds": [digest["seed"] for digest in results.digests],
        "expected_runs": results.expected,
        "figures": figures,
        "metrics": _metrics(results.digests),
        "seconds": Spread.of([_seconds(digest) for digest in results.digests]).to_json() if results.digests else None,
        "runs": runs,
    } | ({} if search is None else {"search": {"trainings": search.trainings, **vars(search)}})


def _that_have(results: Results, name: str) -> Results:
    """The runs that a figure is of: those that have it, where it is one `OF_SOME_RUNS`."""
    if name not in OF_SOME_RUNS:
        return results
    return replace(results, digests=[one for one in results.digests if figure(one, name) is not None])


def _draws(criterion: Criterion) -> bool:
    """Whether a criterion is a power law, which is drawn."""
    return criterion.rule == power_law.__name__


def _power_laws(criterion: Criterion, groups: Groups) -> dict[str, Any] | None:
    """What a criterion of the rule `power_law` fitted, to be drawn; None for another, or where a figure is missing."""
    if not _draws(criterion):
        return None
    try:
        laws = power_laws(groups, **criterion.arguments)
    except IncomparableError:
        return None
    lines = [
        {"name": name, "groups": list(criterion.arguments["lines"][name]), **dataclasses.asdict(law)}
        for name, law in laws.items()
    ]
    return {"text": criterion.text, "x": criterion.arguments["x"], "y": criterion.arguments["y"], "lines": lines}


def _seconds(digest: Digest) -> float:
    seconds = digest["seconds"]
    return float(seconds.get("all", seconds["fit"]))


def _metrics(digests: Sequence[Digest]) -> dict[str, dict[str, Any]]:
    """The spread of every metric that all runs have, by split and name."""
    spreads: dict[str, dict[str, Any]] = {}
    for split, metrics in digests[0]["metrics"].items() if digests else ():
        for name in metrics:
            values = [digest["metrics"].get(split, {}).get(name) for digest in digests]
            if all(value is not None for value in values):
                spreads.setdefault(split, {})[name] = Spread.of(values).to_json()
    return spreads


def _thinned(digest: Digest, first: bool, samples: bool) -> dict[str, Any]:
    """A digest without its largest entries.

    Args:
        first: whether this is the first run of its group; only that run keeps its settings and samples.
        samples: whether samples are kept at all: not where the sentences are not ours to publish.
    """
    left_out = {*HEAVY, *(() if first else ("settings",)), *(() if first and samples else ("samples",))}
    thinned = {key: value for key, value in digest.items() if key not in left_out}
    if "curve" in digest:
        thinned["curve"] = [
            {name: value for name, value in point.items() if not name.endswith(NOT_PLOTTED)}
            for point in digest["curve"]
        ]
    return thinned


def _short(content: Any) -> Any:
    """The content with figures of six digits: finer than any spread, and a third of the bytes."""
    if isinstance(content, Mapping):
        return {key: _short(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_short(value) for value in content]
    if isinstance(content, float) and not content.is_integer():  # counts keep all their digits
        return float(f"{content:.6g}")
    return content


def _significance(claim: Claim, groups: Groups) -> list[dict[str, Any]]:
    """A paired bootstrap test for each pair of groups that the claim compares, in the first metric that both have, and
    for each of these groups, and of those that were searched for, against the best of them.
    """
    from seqlab.runs.significance import METRICS, significance

    results = []
    for a, b in [*claim.compared, *_against_best(claim, groups)]:
        if groups[a].digests and groups[b].digests:
            tests = (significance(groups[a].digests, groups[b].digests, metric) for metric in METRICS)
            test = next((test for test in tests if test is not None), None)
            if test is not None:
                results.append({"a": a, "b": b, **test})
    return results


def _against_best(claim: Claim, groups: Groups) -> list[tuple[str, str]]:
    """Each compared or searched group with the best of them, in the first metric that all have, but for pairs of the
    claim.
    """
    from seqlab.runs.significance import METRICS, mean_figure

    searched = (group.label for group in claim.groups if group.search)
    labels = dict.fromkeys(itertools.chain(*claim.compared, searched))
    compared = [label for label in labels if groups[label].digests]
    tested = [{*pair} for pair in claim.compared]
    for metric in METRICS:
        means = {label: mean_figure(groups[label].digests, metric) for label in compared}
        measured = {label: mean for label, mean in means.items() if mean is not None}
        if compared and len(measured) == len(compared):
            best = max(measured, key=lambda label: measured[label])
            return [(label, best) for label in compared if label != best and {label, best} not in tested]
    return []
