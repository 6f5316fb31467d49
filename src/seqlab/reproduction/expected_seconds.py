"""How long runs of claims take, by the references of earlier ones."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from seqlab.errors import InputError
from seqlab.multiruns.pool_progress import Estimate
from seqlab.reproduction.claim import Claim
from seqlab.reproduction.plan import Planned
from seqlab.reproduction.reference_files import read_reference, reference_path
from seqlab.reproduction.search_plan import PlannedSearch


def expected_seconds(claims: Sequence[Claim], planned: Sequence[Planned], references: Path) -> dict[str, float]:
    """About how many seconds each run and search takes, by its name: as many as when the reference was made.

    A run without a reference is assumed to take the mean of the others, and a search half of that for each trial;
    without any reference the result is empty.
    """
    known: dict[tuple[str, str], float] = {}
    searches: dict[tuple[str, str], float] = {}
    for claim in claims:
        try:
            content = read_reference(reference_path(references, claim))
        except InputError:  # there is none yet, or an odd one, which is written anew
            continue
        for group in content["groups"]:
            if seconds := group.get("seconds"):
                known[claim.name, group["label"]] = seconds["mean"]
            if "search" in group:
                searches[claim.name, group["label"]] = group["search"]["seconds"]
    if not known:
        return {}
    mean = statistics.fmean(known.values())
    expected = {}
    for one in planned:
        key = (one.claim.name, one.group.label)
        if isinstance(one, PlannedSearch):
            expected[one.name] = searches.get(key, mean / 2 * (one.group.search.trials if one.group.search else 0))
        else:
            expected[one.name] = known.get(key, mean)
    return expected


class ReferenceEstimate(Estimate):
    """Runs that remain take as much longer than expected as those that have ended.

    Args:
        expected: the expected seconds by run, or empty.
    """

    def __init__(self, expected: Mapping[str, float]) -> None:
        self._expected = expected
        self._took: list[tuple[float, float]] = []  # expected and real seconds of whole runs that have ended

    def ended(self, name: str, seconds: float, resumed: bool) -> None:
        """Notes how long a whole run took."""
        if name in self._expected and not resumed:
            self._took.append((self._expected[name], seconds))

    def seconds_left(self, remaining: Sequence[str], elapsed: Mapping[str, float]) -> list[float]:
        """The seconds that each of `remaining` still takes; empty if nothing is expected."""
        if not self._expected:
            return []
        pace = sum(real for _, real in self._took) / sum(expected for expected, _ in self._took) if self._took else 1.0
        return [max(0.0, pace * self._expected[name] - elapsed.get(name, 0.0)) for name in remaining]
