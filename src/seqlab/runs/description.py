"""What a run trained and how, to decide which runs differ in their seed alone."""

from __future__ import annotations

from typing import Any

from seqlab.identity import HOW_IT_BEGINS, fingerprint
from seqlab.runs.result import RunResult

LEFT_OUT = {
    "": ("name", "seed", *HOW_IT_BEGINS, "measure", "find_lr", "logger"),
    "data": ("cache", "order_seed"),
    "callbacks": ("progress", "outlook"),
}
"""Settings that have no part in what is trained, by their group."""

CHANGED = "changed after step"
"""The part of a description that holds what changed when the run was resumed."""


def description(result: RunResult) -> dict[str, Any]:
    """Data, model and settings of a run: equal for runs that differ in their seed alone.

    `data` and `model` are the hashes and sizes that the run recorded, if it did; of data that are drawn with the run's
    seed, without the hashes of what was drawn. What changed when the run was resumed is part of how it was trained.
    """
    settings = {
        name: _without(value, LEFT_OUT.get(name, ()))
        for name, value in result.settings.items()
        if name not in LEFT_OUT[""]
    }
    data = result.identity.data
    if data is not None and _is_drawn_by_seed(settings.get("data")):
        data = _without(data, ("splits", "vocabularies"))
    recorded = {"data": data, "model": result.identity.model}
    changes: dict[str, list[Any]] = {}  # a run may be resumed several times at one step
    for one in result.resumed:
        if one["changed"]:
            changes.setdefault(str(one["step"]), []).append(one["changed"])
    return {
        **{name: value for name, value in recorded.items() if value is not None},
        "settings": settings,
        **({CHANGED: changes} if changes else {}),
    }


def described(result: RunResult) -> str:
    """A hash of the description."""
    return fingerprint(description(result))


def _is_drawn_by_seed(data: Any) -> bool:
    """Whether settings of data, unresolved as they are saved, take the run's seed for their own."""
    return isinstance(data, dict) and data.get("seed") == "${seed}"


def _without(value: Any, names: tuple[str, ...]) -> Any:
    return {key: one for key, one in value.items() if key not in names} if isinstance(value, dict) else value
