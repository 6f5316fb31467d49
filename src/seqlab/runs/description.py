"""What a run is of, for deciding which runs differ in their seed alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqlab.identity import HOW_IT_BEGINS, fingerprint

WITHOUT = {
    "": ("name", "seed", *HOW_IT_BEGINS, "measure", "find_lr", "logger"),  # no part of what is trained
    "data": ("cache", "order_seed"),
    "callbacks": ("progress", "outlook"),
}
"""Settings that make no other run: by the group they stand in."""

CHANGED = "changed after step"
"""The part of a description that holds what changed when a run was resumed."""


def description(run: Mapping[str, Any]) -> dict[str, Any]:
    """Data, model and settings of a run, by its `result.json` or digest: equal where runs differ in their seed alone.

    `data` and `model` are what the run itself recorded (hashes of files and vocabularies, sizes), where it did; what
    changed on the way, as it was resumed, is part of how it was trained.
    """
    settings = {
        name: _without(value, WITHOUT.get(name, ()))
        for name, value in run.get("settings", {}).items()
        if name not in WITHOUT[""]
    }
    recorded = {name: run["identity"][name] for name in ("data", "model") if name in run.get("identity", {})}
    changes: dict[str, list[Any]] = {}  # a run may be resumed several times at one step
    for one in run.get("resumed", []):
        if one.get("changed"):
            changes.setdefault(str(one.get("step")), []).append(one["changed"])
    return {**recorded, "settings": settings, **({CHANGED: changes} if changes else {})}


def described(run: Mapping[str, Any]) -> str:
    """A hash of that."""
    return fingerprint(description(run))


def _without(value: Any, names: tuple[str, ...]) -> Any:
    return {key: one for key, one in value.items() if key not in names} if isinstance(value, dict) else value
