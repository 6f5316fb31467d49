"""What a claim came to, as one small file that is committed: figures, verdicts, and what made them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqlab.reproduction.claim import PROFILES, Claim, Group
from seqlab.reproduction.criteria import Finding, Groups, IncomparableError, Results, judge, values_of
from seqlab.runs.schemas import Digest
from seqlab.runs.spread import spread

HEAVY = ("bleu_statistics", "correct")
"""Of a digest: an entry a sentence. What they are good for is computed before they go."""

HOLDS, FAILS, OPEN = "holds", "does not hold", "not comparable"


@dataclass(frozen=True)
class Verdict:
    """What a claim came to, and why it can be no more than that."""

    word: str
    why: str | None
    findings: Sequence[Finding]


def verdict(claim: Claim, groups: Groups) -> Verdict:
    """A claim holds if all its criteria do, does not if one does not, and else cannot be compared."""
    findings = [judge(criterion, groups) for criterion in claim.criteria]
    named = list(zip(claim.criteria, findings, strict=True))
    if failed := [criterion.text for criterion, own in named if own.holds is False]:
        return Verdict(FAILS, "; ".join(failed), findings)
    if reasons := list(dict.fromkeys(own.why or "" for own in findings if own.holds is None)):
        return Verdict(OPEN, "; ".join(reasons), findings)
    return Verdict(HOLDS, None, findings)


def reference(claim: Claim, groups: Groups, why_missing: str | None = None) -> dict[str, Any]:
    """The content of `outputs/reference/<claim>.json`.

    Args:
        groups: what finished, by label; at least one run of one group.
        why_missing: what is to be said of runs that are not there.
    """
    came = verdict(claim, groups)
    digests = [digest for results in groups.values() for digest in results.digests]
    content: dict[str, Any] = {
        "claim": claim.name,
        "part_of": claim.part_of,
        "profile": claim.profile,
        "title": claim.title,
        "text": claim.text,
        "source": claim.source,
        "published": list(claim.published),
        "verdict": came.word,
        "why": came.why,
        "partial": why_missing,
        "criteria": [
            {"text": criterion.text, "expected": criterion.expected, "measured": own.measured, "holds": own.holds}
            | ({"why": own.why} if own.why else {})
            for criterion, own in zip(claim.criteria, came.findings, strict=True)
        ],
        "columns": dict(claim.columns),
        "groups": [_group(claim, group, groups[group.label]) for group in claim.groups],
        "significance": _significance(claim, groups),
        "environment": digests[0]["environment"],
        "machine": {"cores": os.cpu_count()},
        "seconds": sum(_seconds(digest) for digest in digests),
    }
    return {key: _short(value) for key, value in content.items() if value is not None}


def remake(content: Mapping[str, Any]) -> str:
    """The line that makes a reference anew, of its content."""
    own = content.get("part_of", content["claim"])
    return f"make reproduce-{own}" + (f" PROFILE={content['profile']}" if content["profile"] != PROFILES[0] else "")


def _group(claim: Claim, group: Group, results: Results) -> dict[str, Any]:
    runs = [_thinned(digest, first=not i, samples=claim.own_data) for i, digest in enumerate(results.digests)]
    figures = {}
    for name in claim.columns:
        try:
            figures[name] = values_of({group.label: results}, group.label, name)
        except IncomparableError:  # an architecture or a split without it
            continue
    return {
        "label": group.label,
        "title": group.title,
        "command": group.command,
        "seeds": [digest["seed"] for digest in results.digests],
        "expected_runs": results.expected,
        "figures": figures,
        "metrics": _metrics(results.digests),
        "seconds": spread([_seconds(digest) for digest in results.digests]) if results.digests else None,
        "runs": runs,
    }


def _seconds(digest: Digest) -> float:
    seconds = digest["seconds"]
    return float(seconds.get("all", seconds["fit"]))


def _metrics(digests: Sequence[Digest]) -> dict[str, dict[str, Any]]:
    """Of every metric that all runs have."""
    found: dict[str, dict[str, Any]] = {}
    for split, values in digests[0]["metrics"].items() if digests else ():
        for name in values:
            own = [digest["metrics"].get(split, {}).get(name) for digest in digests]
            if all(value is not None for value in own):
                found.setdefault(split, {})[name] = spread(own)
    return found


def _thinned(digest: Digest, first: bool, samples: bool) -> dict[str, Any]:
    """A digest without what is too much to keep: what an entry a sentence is, settings and samples but of one run, and
    samples at all where they are somebody else's sentences.
    """
    left_out = {*HEAVY, *(() if first else ("settings",)), *(() if first and samples else ("samples",))}
    return {key: value for key, value in digest.items() if key not in left_out}


def _short(content: Any) -> Any:
    """Figures with six digits: more than any spread, and a third of the bytes."""
    if isinstance(content, Mapping):
        return {key: _short(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_short(value) for value in content]
    if isinstance(content, float) and not content.is_integer():  # counts keep all of theirs
        return float(f"{content:.6g}")
    return content


def _significance(claim: Claim, groups: Groups) -> list[dict[str, Any]]:
    """A paired bootstrap of each pair of groups that the claim compares, in the first metric that both have."""
    from seqlab.runs.significance import METRICS, significance

    found = []
    for a, b in claim.compared:
        if groups[a].digests and groups[b].digests:
            tests = (significance(groups[a].digests, groups[b].digests, metric) for metric in METRICS)
            test = next((test for test in tests if test is not None), None)
            if test is not None:
                found.append({"a": a, "b": b, **test})
    return found
