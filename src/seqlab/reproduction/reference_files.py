"""The files of claims' results, one per claim and profile: where they are, and what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqlab.reproduction.claim import Claim, with_profile
from seqlab.runs.json_checks import read_json
from seqlab.runs.schemas import REFERENCE


def reference_path(folder: Path, claim: Claim) -> Path:
    """The file with the result of a claim."""
    return folder / f"{with_profile(claim.name, claim.profile, '{}_{}')}.json"


def read_reference(path: Path) -> dict[str, Any]:
    """The result of a claim, as `reference.reference` makes it.

    Raises:
        InputError: the file cannot be read, or holds something else; names the file and the key.
    """
    return dict(read_json(path, REFERENCE))
