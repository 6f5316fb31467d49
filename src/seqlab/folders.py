"""A run's folder belongs to one run: made exclusively, and never written over unless that is asked for."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

CONFIGURATION = ".hydra"
LEFT = (
    *("checkpoints", "bundle", "tensorboard", "metrics.csv", "predictions.tsv", "result.json"),
    *("evaluation.json", "digest.json", "error.txt"),
)
"""What a run leaves beside its configuration."""
RANGE_TEST = "lr_find.hydra"
"""Where a range test leaves its configuration: it is no run, and one may follow in its folder."""
MULTIRUN, STUDY = "multirun.yaml", "sweep.json"
COMPARED = ("comparison.csv", "comparison.md")


_MADE: dict[Path, Path | None] = {}
"""Folders that this process made, and where what they held before is kept until a run has begun."""
_MISSING: dict[Path, list[Path]] = {}
"""For each of them, it and those around it that were not there before, the innermost first."""


def claim_run(folder: Path, overwrite: bool) -> bool:
    """Makes a run's folder, for this process alone; False where another run has it.

    Args:
        overwrite: moves aside what an earlier run left there first. Other files in the folder stay.
    """
    aside = None
    if overwrite and (folder / CONFIGURATION).is_dir():
        aside = _put_aside(folder, [CONFIGURATION, *LEFT])
    if any((folder / name).exists() for name in LEFT):
        return False
    missing = [one for one in (folder.resolve(), *folder.resolve().parents) if not one.exists()]
    try:
        (folder / CONFIGURATION).mkdir(parents=True)  # of two that begin at once one makes it
    except FileExistsError:
        return False
    _MADE[folder.resolve()], _MISSING[folder.resolve()] = aside, missing
    return True


def claim_multirun(folder: Path, overwrite: bool) -> bool:
    """Makes a multirun's folder, in the same way; its runs are the subfolders that are named by numbers."""
    aside = None
    if overwrite and (folder / MULTIRUN).is_file():
        runs = [path.parent.name for path in folder.glob(f"*/{CONFIGURATION}") if path.parent.name.isdecimal()]
        aside = _put_aside(folder, [MULTIRUN, *COMPARED, *runs])
    others = (CONFIGURATION, STUDY, *LEFT)
    if any((folder / name).exists() for name in others) or any(folder.glob(f"*/{CONFIGURATION}")):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / MULTIRUN).touch(exist_ok=False)  # which Hydra fills
    except FileExistsError:
        return False
    _MADE[folder.resolve()] = aside
    return True


def has_begun(folder: Path) -> None:
    """Says that the run in a folder begins in earnest: what it, or its multirun, is to replace goes."""
    for path in (folder.resolve(), *folder.resolve().parents):
        if aside := _MADE.get(path):
            shutil.rmtree(aside)
            _MADE[path] = None


def give_back(folder: Path) -> None:
    """Leaves the folder of a range test to a run that may follow in it."""
    kept = folder / RANGE_TEST
    if kept.is_dir():
        shutil.rmtree(kept)
    (folder / CONFIGURATION).rename(kept)


def leave_nothing(folder: Path) -> None:
    """Takes away the folder of a run that could not begin, if this process made it, and puts back what it held."""
    folder = folder.resolve()
    if folder not in _MADE:
        return
    with contextlib.suppress(OSError):
        if [path.name for path in folder.iterdir() if path.name in (CONFIGURATION, *LEFT)] != [CONFIGURATION]:
            return
        shutil.rmtree(folder / CONFIGURATION)
        if aside := _MADE[folder]:
            for path in aside.iterdir():
                path.rename(folder / path.name)
            aside.rmdir()
        for made in _MISSING.get(folder, ()):
            made.rmdir()  # an OSError where it holds something else, which ends this


def _put_aside(folder: Path, names: Iterable[str]) -> Path:
    """Moves these of a folder's files into a new folder beside it."""
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.resolve().name}-replaced-", dir=folder.resolve().parent))
    for name in names:
        if (folder / name).is_symlink() or (folder / name).exists():
            (folder / name).rename(aside / name)
    return aside
