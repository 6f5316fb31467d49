"""Where a pruner looks at a trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HALVING = ("HyperbandPruner", "SuccessiveHalvingPruner")


def rungs(pruner: Mapping[str, Any] | None, last: int | None = None) -> list[int]:
    """The steps at which a halving pruner may stop a trial: `min_resource` times powers of `reduction_factor`.

    Brackets of Hyperband share these; each begins at a later one. Nothing is asked at the last step. Other pruners, and
    one whose `min_resource` is found as it goes, have none.
    """
    if pruner is None or str(pruner.get("_target_", "")).rpartition(".")[2] not in HALVING:
        return []
    first, factor = pruner.get("min_resource", 1), pruner.get("reduction_factor", 3)
    end = pruner.get("max_resource", last)
    if not isinstance(first, int) or not isinstance(end, int):
        return []
    found = []
    while first < end:
        found.append(first)
        first *= factor
    return found
