"""Which runs of Weights & Biases and MLflow belong to a run's folder, and which of a search's is marked as the best.

It is imported in the process of a search, so that it imports wandb and mlflow only where a run was logged with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqlab.files import write_json
from seqlab.folders import TRACKED

Note = dict[str, Any]


def tracked(folder: Path) -> dict[str, Note]:
    """The notes on the runs that trackers keep of the seqlab run in `folder`, by tracker."""
    path = folder / TRACKED
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def note_tracked(folder: Path, tracker: str, note: Mapping[str, Any]) -> None:
    """Notes which `run` a tracker keeps of the seqlab run in `folder`; what was noted on another run is dropped."""
    known = tracked(folder)
    kept = known.get(tracker, {})
    write_json(folder / TRACKED, {**known, tracker: {**(kept if kept.get("run") == note["run"] else {}), **note}})


def mark_best(study: Path, best: int | Sequence[int]) -> None:
    """Marks the run of the best trial, or those of several: `best` is true in W&B's summary, and a tag in MLflow. One
    that was best before becomes false. Trials without these loggers are left out.

    Raises:
        Exception: whatever a tracker raises; the marks of the others are set nevertheless.
    """
    errors, folders = [], {str(one) for one in ([best] if isinstance(best, int) else best)}
    for path in study.glob(f"*/{TRACKED}"):
        is_best = path.parent.name in folders
        for tracker, note in tracked(path.parent).items():
            if note.get("best", False) != is_best:
                try:
                    MARKS[tracker](path.parent, note, is_best)
                    note_tracked(path.parent, tracker, {**note, "best": is_best})
                except Exception as error:
                    errors.append(error)
    if errors:
        raise errors[0]


def _mark_in_mlflow(folder: Path, note: Note, is_best: bool) -> None:
    from mlflow import MlflowClient

    MlflowClient(note["tracking_uri"]).set_tag(note["run"], "best", str(is_best).lower())


def _mark_in_wandb(folder: Path, note: Note, is_best: bool) -> None:
    """Resumes the run for a moment. Offline, that is a further part of it in `folder`, which `wandb sync` merges."""
    import wandb

    facts = {name: note[name] for name in ("entity", "project", "group", "name", "mode")}
    settings = wandb.Settings(silent=True, console="off", x_disable_stats=True)
    with wandb.init(id=note["run"], **facts, dir=folder, resume="allow", reinit="create_new", settings=settings) as run:
        run.summary["best"] = is_best


MARKS: dict[str, Callable[[Path, Note, bool], None]] = {"mlflow": _mark_in_mlflow, "wandb": _mark_in_wandb}
