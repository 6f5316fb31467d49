"""Runs of the past: which there are, how each ended, and what is known of it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.trial.events import LOG
from seqlab.config.plain import kept_start, read
from seqlab.errors import InputError
from seqlab.folders import CHECKPOINT, ERROR, LOGGED_METRICS, RESULT, RUN_PLACES, SETTINGS, TAGS, TRAINING_COST
from seqlab.kinds import model_name
from seqlab.metrics.registry import METRICS
from seqlab.natural_order import natural_path
from seqlab.runs.result import RunResult
from seqlab.runs.run_folder import read_metrics

FINISHED, INTERRUPTED, FAILED = "finished", "interrupted", "failed"
OF_A_RUN = ("model", "data", "trainer", "seed")
"""What the configuration of every run of seqlab has, so that no other application's folder is taken for one."""


@dataclass(frozen=True)
class ListedRun:
    """A run in its folder.

    Args:
        settings: its configuration, unresolved.
        result: None unless it has finished and was measured.
    """

    folder: Path
    settings: Mapping[str, Any]
    result: RunResult | None

    @property
    def state(self) -> str:
        """How it ended: finished, failed, or interrupted, which it also is while it runs."""
        if self.result is not None or (self.folder / TRAINING_COST).is_file():
            return FINISHED
        return FAILED if (self.folder / ERROR).is_file() else INTERRUPTED

    @property
    def is_open(self) -> bool:
        """Whether it has not ended, or was resumed since: its checkpoint is newer than what it ended with."""
        ends = [path for name in (RESULT, TRAINING_COST, ERROR) if (path := self.folder / name).exists()]
        last = self.folder / CHECKPOINT
        return not ends or (last.exists() and last.stat().st_mtime > max(path.stat().st_mtime for path in ends))

    @property
    def needs_checkpoints(self) -> bool:
        """Whether they hold what nothing else does: it was not measured, so has no bundle, or was resumed since."""
        return self.result is None or self.is_open

    @property
    def model(self) -> str:
        """The name of its architecture."""
        return model_name(dict(self.settings["model"]))

    @property
    def data(self) -> str:
        """The name of its data; of files, also that of the file."""
        data = self.settings["data"]
        name = str(data.get("_target_", "?")).split(".")[-2:][0]
        path = data.get("path")
        return f"{name} {Path(str(path)).name}" if path else name

    @property
    def data_names(self) -> list[str]:
        """Its data as they are shown, with and without the file, and as they were typed in `data=`."""
        names = [self.data, self.data.partition(" ")[0]]
        with contextlib.suppress(OSError, ValueError, KeyError):  # the run has not kept what was typed
            names.append(kept_start(self.folder).choices["data"])
        return names

    @property
    def tags(self) -> list[str]:
        """The tags that it was given."""
        try:
            tags = json.loads((self.folder / TAGS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [str(one) for one in tags] if isinstance(tags, list) else []

    def keep_tags(self, tags: Iterable[str]) -> None:
        """Writes its tags."""
        write_atomically(self.folder / TAGS, json.dumps(sorted(set(tags)), ensure_ascii=False) + "\n")

    @property
    def changed(self) -> float:
        """When it last wrote its result, a checkpoint, a metric or a line, in seconds since the epoch."""
        names = (RESULT, CHECKPOINT, LOGGED_METRICS, LOG, TRAINING_COST, ERROR, SETTINGS)
        return max(path.stat().st_mtime for path in map(self.folder.joinpath, names) if path.exists())

    @cached_property
    def size(self) -> int:
        """The bytes of its files; links are not followed."""
        return size_of(self.folder)

    def metrics(self) -> dict[str, float]:
        """Its metrics by name: of the split that decides (test, where it was measured) as `exact_match`, of each split
        as `test/exact_match`, and each of these also with its kind, as `test/free_running/exact_match`.

        Those of an interrupted run are the last that it logged.
        """
        found: dict[str, float] = {}
        if self.result is None:
            for row in read_metrics(self.folder):
                found |= {name: value for name, value in row.items() if name.startswith("val/")}
            return found | {name.split("/")[-1]: value for name, value in found.items()}
        for split in ("train", "val", "test"):
            for name, value in self.result.metrics.get(split, {}).items():
                if value is not None:
                    short = name.split("/")[-1]
                    ours = "copy_nearest" not in name
                    found |= {f"{split}/{name}": value}
                    found |= {name: value, short: value, f"{split}/{short}": value} if ours else {}
        return found

    def main_metric(self) -> str:
        """The first of the metrics that multiruns compare, in words; of an unmeasured run the loss of validation."""
        if self.result is None:
            loss = self.metrics().get("loss")
            return "" if loss is None else f"val loss {loss:.4f}"
        split = self.result.main_split
        judges = [one for one in METRICS if one.judges and one.more_is_better]
        for one in (*judges, *METRICS):
            if (value := self.result.metric(split, one.key)) is not None:
                return f"{split} {one.label} {value:{one.form}}"
        return ""


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files below a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size if path.is_symlink() or path.exists() else 0
    return sum(size_of(Path(entry.path)) for entry in os.scandir(path))


def listed_runs(outputs: Path, folders: Iterable[Path] | None = None) -> tuple[list[ListedRun], list[str]]:
    """The runs below `outputs`, or in and below the named folders, in natural order; and a line on each unreadable one.

    Raises:
        InputError: a named folder is not there, or has no run.
    """
    if folders is None:
        found = [path for place in RUN_PLACES for path in _run_folders(outputs / place)]
    else:
        found = []
        for folder in folders:
            if not (below := _run_folders(folder)):
                raise InputError(f"runs: {folder} is no run and holds none")
            found += below
    runs, unread = [], []
    for folder in dict.fromkeys(found):
        try:
            runs += [run] if (run := _listed(folder)) is not None else []
        except InputError as error:
            unread.append(str(error))
    return runs, unread


def _run_folders(folder: Path) -> list[Path]:
    """The folders with a configuration in and below a folder, in natural order."""
    found = [path.parents[1] for path in folder.rglob(SETTINGS) if not path.parents[1].is_symlink()]
    return sorted(found, key=natural_path)


def _listed(folder: Path) -> ListedRun | None:
    """The run in a folder; None if its configuration is of something else."""
    result = RunResult.read(folder) if (folder / RESULT).is_file() else None
    if result is not None and result.settings:
        settings: Any = result.settings
    else:
        try:
            settings = read(folder / SETTINGS)
        except (OSError, ValueError) as error:
            raise InputError(f"{folder}: not the folder of a run ({error})") from None
    is_run = isinstance(settings, dict) and all(name in settings for name in OF_A_RUN)
    return ListedRun(folder, settings, result) if is_run and isinstance(settings["data"], dict) else None
