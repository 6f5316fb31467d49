"""Descriptions as plain data, by which things that must fit together are compared.

Code that joins two things (a run and its checkpoint, weights and tokenizers) describes both as plain data, compares the
descriptions, and refuses with a list of the differences.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from hydra_pruning_sweeper.differences import Difference, listed

HOW_IT_BEGINS = ("resume", "overwrite")
"""Settings that say how a run begins; they do not belong to its identity."""
BEGINNINGS = tuple(f"{name}=" for name in HOW_IT_BEGINS)
"""Prefixes of overrides of these settings."""


def fingerprint(description: Any) -> str:
    """A short hash of plain data (mappings in any order, sequences, strings, numbers, booleans, None)."""
    text = json.dumps(description, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def changes_on_resuming(resumed: Iterable[Mapping[str, Any]]) -> list[str]:
    """The settings that changed when a run was resumed, one line per resumption that changed any.

    Args:
        resumed: from `result.json`: `step`, and `changed`, which maps a setting to its values before and after.
    """
    return [
        f"after step {one['step']:,} with {listed(found, limit=len(found))}"
        for one in resumed
        if (found := [Difference(name, old, new) for name, (old, new) in one["changed"].items()])
    ]
