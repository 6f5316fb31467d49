"""What a thing says of itself, and how two such descriptions differ.

Whatever joins two things (a run and its checkpoint, a study and a trial's folder, weights and tokenizers) describes
both as plain data, compares the descriptions here, and refuses with the differences.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from hydra_pruning_sweeper.differences import Difference, listed

HOW_IT_BEGINS = ("resume", "overwrite")
"""Settings of a run that say how it begins, not what it is."""
BEGINNINGS = tuple(f"{name}=" for name in HOW_IT_BEGINS)
"""How overrides of these settings begin."""


def fingerprint(description: Any) -> str:
    """A short hash of plain data (mappings in any order, sequences, strings, numbers, booleans, None)."""
    text = json.dumps(description, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def changes_on_resuming(resumed: Iterable[Mapping[str, Any]]) -> list[str]:
    """What a run went on with when it was resumed, a line each time that settings changed.

    Args:
        resumed: as `result.json` keeps it: `step`, and `changed`: by name, the setting before and after.
    """
    return [
        f"after step {one['step']:,} with {listed(found, limit=len(found))}"
        for one in resumed
        if (found := [Difference(name, old, new) for name, (old, new) in one["changed"].items()])
    ]
