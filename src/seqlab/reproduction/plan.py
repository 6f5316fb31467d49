"""The plan of all runs: which are finished, which resume from a checkpoint, and which start anew."""

from __future__ import annotations

import abc
import contextlib
import functools
import itertools
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.differences import Difference, differences
from hydra_pruning_sweeper.quoting import quoted
from hydra_pruning_sweeper.trial.events import LOG
from seqlab.config.plain import comparable, composed, kept_overrides, read
from seqlab.errors import InputError
from seqlab.folders import CHECKPOINT, CODE, RESULT, SETTINGS
from seqlab.reproduction.claim import Claim, Group
from seqlab.runs.result import RunResult

FINISHED, RESUMABLE, NEW, OTHER = "finished", "resumable", "new", "other"


@dataclass(frozen=True)
class Planned(abc.ABC):
    """What is to be run: a training, or a search.

    Args:
        name: claim/label/seed, or claim/label/search.
        folder: where it is kept.
    """

    name: str
    claim: Claim
    group: Group
    folder: Path

    @property
    def log(self) -> Path:
        """The file with what it prints."""
        return self.folder / LOG

    @abc.abstractmethod
    def arguments(self, resumes: bool) -> list[str]:
        """The arguments of `seqlab-train`, with which it starts or resumes."""

    @abc.abstractmethod
    def has_ended(self) -> bool:
        """Whether its folder has what is written at the very end."""

    @abc.abstractmethod
    def has_begun(self) -> bool:
        """Whether its folder has anything to keep."""


@dataclass(frozen=True)
class PlannedRun(Planned):
    """One run of a claim."""

    seed: int

    def arguments(self, resumes: bool) -> list[str]:
        """The words of its group and the seed, or the folder to resume."""
        folder = quoted(str(self.folder))
        return [f"resume={folder}"] if resumes else [*self.group.arguments(self.seed), f"hydra.run.dir={folder}"]

    def has_ended(self) -> bool:
        """Whether there is a result."""
        return (self.folder / RESULT).is_file()

    def has_begun(self) -> bool:
        """Whether there is a result, or a checkpoint."""
        return _result(self.folder) is not None or _has_checkpoint(self.folder)


def runs_of(claims: Sequence[Claim], folder: Path) -> list[PlannedRun]:
    """All runs of `claims`, each in a folder below `folder`."""
    return [
        PlannedRun(name, claim, group, folder / name, seed)
        for claim in claims
        for group in claim.groups
        for seed in group.seeds
        for name in [f"{claim.name}/{group.label}/{seed}"]
    ]


def state_of(run: PlannedRun, code: str, any_code: bool = False) -> tuple[str, list[Difference]]:
    """The state of a run's folder, and the differences between the run in it and the planned one.

    A run whose group waits for its search is NEW.

    FINISHED: it holds the result of a run with the same settings and code. RESUMABLE: it holds a checkpoint of such a
    run. OTHER: it holds a result or a checkpoint of a run with other settings or code. NEW: none of these.

    Args:
        code: the hash of the present code.
        any_code: accept a run of other code, if the arguments it was started with give the planned settings today.
    """
    result = _result(run.folder)
    if not run.group.is_ready or (result is None and not _has_checkpoint(run.folder)):
        return NEW, []
    settings: Mapping[str, Any] | None
    run_code: str | None
    if any_code:
        settings, run_code = _settings_today(run.folder), code
    elif result:
        settings, run_code = result.settings, result.code
    else:
        settings, run_code = _yaml(run.folder / SETTINGS), code_of(run.folder)
    actual = {**comparable(settings or {}), "code": run_code}
    if result and not any_code:  # it may have been resumed with other settings, and then with these
        changes = [one["changed"] for one in result.resumed]
        actual |= {"resumed": changes} if changes else {}
    planned = {**_composed(run.group.all_words), "seed": run.seed}
    if different := differences(actual, {**comparable(planned), "code": code}):
        return OTHER, different
    return FINISHED if result else RESUMABLE, []


def empty_folder_for(run: Planned, aside: Path, code: str) -> Path | None:
    """Makes an empty folder, with a note of the code that starts what is planned for it.

    A folder with anything to keep is moved below `aside`; any other is deleted.

    Returns:
        The new path of the folder that was moved; None if none was.
    """
    target: Path | None = None
    if run.has_begun():
        names = (aside / run.name / str(number) for number in itertools.count(1))
        target = next(name for name in names if not name.exists())
        target.parent.mkdir(parents=True, exist_ok=True)
        run.folder.rename(target)
    elif run.folder.exists():
        shutil.rmtree(run.folder)
    run.folder.mkdir(parents=True)
    write_atomically(run.folder / CODE, code + "\n")
    return target


def _result(folder: Path) -> RunResult | None:
    """The result of a run; None if the run has none that can be read."""
    try:
        return RunResult.read(folder)
    except InputError:
        return None


def _has_checkpoint(folder: Path) -> bool:
    return (folder / CHECKPOINT).is_file()


def code_of(folder: Path) -> str | None:
    """The hash of the code that started the run in `folder`; None if that is not noted."""
    try:
        return (folder / CODE).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _yaml(path: Path) -> Any:
    """The content of a YAML file; None if it cannot be read."""
    try:
        return read(path)
    except (OSError, ValueError):
        return None


def check(run: PlannedRun) -> None:
    """Checks that the arguments of a run compose to a configuration.

    Raises:
        InputError: they do not.
    """
    try:
        _composed(run.group.all_words)
    except Exception as error:  # Hydra raises many kinds
        raise InputError(f"{run.name}: {' '.join(str(error).split())}") from None


@functools.cache
def _composed(words: tuple[str, ...]) -> dict[str, Any]:
    """The settings that arguments of `seqlab-train` give with the present configuration."""
    return composed("train", words)


def _settings_today(folder: Path) -> dict[str, Any] | None:
    """The settings that the arguments of the run in `folder` give today; None if they no longer compose."""
    with contextlib.suppress(Exception):
        return _composed(tuple(kept_overrides(folder)))
    return None
