"""What is to be run: which runs of the claims are finished, which go on, and which begin."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.differences import Difference, differences
from hydra_pruning_sweeper.trial.events import LOG
from seqlab.config.plain import composed, read, resolved
from seqlab.errors import InputError
from seqlab.identity import BEGINNINGS, HOW_IT_BEGINS
from seqlab.reproduction.claim import Claim, Group

RESULT = "result.json"
CODE = "code.txt"
"""The hash of the code that began a run, in its folder: only the same goes on with it."""

FINISHED, GOES_ON, NEW, OTHER = "finished", "goes on", "new", "other"
PATHS = ("path", "validation_path")  # settings of data that name the same file in more than one way


@dataclass(frozen=True)
class PlannedRun:
    """One run of a claim.

    Args:
        name: claim/label/seed.
        folder: where it is kept.
        arguments: what is typed after `seqlab-train`.
    """

    name: str
    claim: Claim
    group: Group
    seed: int
    folder: Path
    arguments: Sequence[str]

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder / LOG


def runs_of(claims: Sequence[Claim], folder: Path) -> list[PlannedRun]:
    """All runs of claims."""
    return [
        PlannedRun(f"{claim.name}/{group.label}/{seed}", claim, group, seed, place, group.arguments(seed))
        for claim in claims
        for group in claim.groups
        for seed in group.seeds
        for place in [folder / claim.name / group.label / str(seed)]
    ]


def state_of(run: PlannedRun, code: str, any_code: bool = False) -> tuple[str, list[Difference]]:
    """What is to be done with what lies in a run's folder, and in what that differs from the run that is asked for.

    Finished is a run with a result of the same settings and code, going on one with a checkpoint of these; other is
    whatever else has a result or a checkpoint.

    Args:
        code: of what would run now.
        any_code: other code is as good, if today's settings of the overrides then typed are those of the run.
    """
    result = _read(run.folder / RESULT)
    begun = (run.folder / "checkpoints" / "last.ckpt").is_file()
    if result is None and not begun:
        return NEW, []
    by: str | None
    if any_code:
        settings, by = _as_if_today(run.folder), code
    elif result:
        settings, by = result["settings"], result["environment"].get("code")
    else:
        settings, by = _loaded(run.folder / ".hydra" / "config.yaml"), _begun_by(run.folder)
    own = {**_plain(settings or {}), "code": by}
    if result and not any_code:  # on the way to these settings it may have had others
        own |= {"resumed": changed} if (changed := [one["changed"] for one in result.get("resumed", [])]) else {}
    found = differences(own, {**_plain(_wanted(run)), "code": code})
    if found:
        return OTHER, found
    return FINISHED if result else GOES_ON, []


def make_room(run: PlannedRun, aside: Path, code: str) -> Path | None:
    """An empty folder for a run, with a note of the code that begins it. What has a result or a checkpoint there is
    moved below `aside`.

    Returns:
        Where to, if there was something to keep.
    """
    target: Path | None = None
    if _read(run.folder / RESULT) is not None or (run.folder / "checkpoints" / "last.ckpt").is_file():
        names = (aside / run.name / str(number) for number in itertools.count(1))
        target = next(name for name in names if not name.exists())
        target.parent.mkdir(parents=True, exist_ok=True)
        run.folder.rename(target)
    elif run.folder.exists():
        shutil.rmtree(run.folder)
    run.folder.mkdir(parents=True)
    write_atomically(run.folder / CODE, code + "\n")
    return target


def _read(path: Path) -> dict[str, Any] | None:
    """A result; None where there is none, or half of one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and {"settings", "environment"} <= set(content) else None


def _begun_by(folder: Path) -> str | None:
    try:
        return (folder / CODE).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _loaded(path: Path) -> Any:
    try:
        return read(path)
    except (OSError, ValueError):
        return None


def check(run: PlannedRun) -> None:
    """Holds what would be typed against the configuration.

    Raises:
        InputError: it cannot be.
    """
    try:
        _composed(run.group.words)
    except Exception as error:  # of Hydra, which raises many kinds
        raise InputError(f"{run.name}: {' '.join(str(error).split())}") from None


@functools.cache
def _composed(words: tuple[str, ...]) -> dict[str, Any]:
    """The settings of a command line of `seqlab-train`, today."""
    return composed("train", words)


def _wanted(run: PlannedRun) -> dict[str, Any]:
    return {**_composed(run.group.words), "seed": run.seed}


def _as_if_today(folder: Path) -> dict[str, Any] | None:
    """The settings that what was typed for a run would have now; None if it can be typed no more."""
    typed = [str(one) for one in _loaded(folder / ".hydra" / "overrides.yaml") or []]
    with contextlib.suppress(Exception):
        return _composed(tuple(one for one in typed if not one.startswith(BEGINNINGS)))
    return None


def _plain(settings: dict[str, Any]) -> Any:
    """Settings as JSON keeps them, without what makes no other run: where it goes on from, and how a path is said."""
    plain = json.loads(json.dumps(settings))
    for name in HOW_IT_BEGINS:
        plain.pop(name, None)
    for name in PATHS:
        if plain.get("data", {}).get(name) is not None:
            plain["data"][name] = str(Path(resolved(settings, f"data.{name}")).resolve())
    return plain
