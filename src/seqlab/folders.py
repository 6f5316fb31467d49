"""A run's folder belongs to one run: it is created exclusively, and overwritten only on request."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from hydra_pruning_sweeper.trial.events import LOG
from hydra_pruning_sweeper.trial.pace import PACE_FILE
from seqlab.errors import InputError
from seqlab.natural_order import natural

RUN_PLACES = ("runs", "multiruns")
"""Where runs are, below the folder of outputs."""
CONFIGURATION = ".hydra"
"""The subfolder of a run's folder that holds its configuration."""
SETTINGS = f"{CONFIGURATION}/config.yaml"
OVERRIDES = f"{CONFIGURATION}/overrides.yaml"
"""What was typed."""
HYDRA = f"{CONFIGURATION}/hydra.yaml"
"""Hydra's own part of the configuration."""
CHECKPOINTS = "checkpoints"
LAST_CHECKPOINT = "last.ckpt"
CHECKPOINT = f"{CHECKPOINTS}/{LAST_CHECKPOINT}"
"""The file of a run from which it can be resumed."""
TENSORBOARD = "tensorboard"
LOGGED_METRICS = "metrics.csv"
TRACKED = "tracked.json"
"""Which runs of Weights & Biases and MLflow a run logs to."""
TRAINING_COST = "training_cost.json"
"""What the training of a run took that is not measured afterwards, such as a trial of a search."""
BUNDLE = "bundle"
PREDICTIONS = "predictions.tsv"
RESULT = "result.json"
"""A run writes it last of all: where it is, the run has finished."""
ERROR = "error.txt"
"""What a run of a multirun that failed leaves instead of a result."""
EVALUATION = "evaluation.json"
"""The metrics of a run that was evaluated again."""
DIGEST_FILE = "digest.json"
"""The digest of a run, kept for the next page."""
TAGS = "tags.json"
"""The tags that `seqlab-runs` gave a run."""
RUN_FILES = (
    *(CHECKPOINTS, TENSORBOARD, LOGGED_METRICS, TRACKED, TRAINING_COST),
    *(BUNDLE, PREDICTIONS, RESULT, ERROR, EVALUATION, DIGEST_FILE, TAGS),
)
"""What a run writes beside its configuration, and what is written about it."""
BUNDLE_SETTINGS, BUNDLE_TOKENIZERS, BUNDLE_WEIGHTS = "bundle.json", "tokenizers.json", "weights.safetensors"
NEEDED_FILES = (BUNDLE_SETTINGS, BUNDLE_TOKENIZERS, BUNDLE_WEIGHTS)
"""The files of a bundle that loading needs."""
BUNDLE_FILES = (*NEEDED_FILES, "README.md")
"""All files of a bundle: its model card, too."""
RANGE_TEST_TABLE = "lr_find.csv"
"""The losses of a learning-rate range test."""
RANGE_TEST = "lr_find.hydra"
"""A learning-rate range test renames its configuration to this: it is not a run, and a run may use its folder."""
CODE = "code.txt"
"""The hash of the code that started a run of a claim: only the same code resumes it."""
BY_PRODUCTS = (RANGE_TEST_TABLE, RANGE_TEST, CODE, LOG, PACE_FILE)
"""What else a run may have left: tested for its rate, or run beside others."""
MULTIRUN, STUDY = "multirun.yaml", "sweep.json"
LINE = "line.json"
"""Of a multirun: the line that was typed, and the runs that it composed to."""
COMPARED = ("comparison.csv", "comparison.md")


_MADE: dict[Path, Path | None] = {}
"""Folders that this process made for runs that have not begun, with the folder that keeps their former content."""
_MISSING: dict[Path, list[Path]] = {}
"""For each of these folders, it and its parents that did not exist before, the innermost first."""


def claim_run(folder: Path, overwrite: bool) -> bool:
    """Makes a run's folder for this process; returns False if it belongs to another run.

    Args:
        overwrite: first move aside what an earlier run wrote there. Other files in the folder stay.
    """
    aside = None
    if overwrite and (folder / CONFIGURATION).is_dir():
        aside = _move_to_backup(folder, [CONFIGURATION, *RUN_FILES])
    if any((folder / name).exists() for name in RUN_FILES):
        return False
    missing = [one for one in (folder.resolve(), *folder.resolve().parents) if not one.exists()]
    try:
        (folder / CONFIGURATION).mkdir(parents=True)  # if two processes try it at once, only one succeeds
    except FileExistsError:
        return False
    _MADE[folder.resolve()], _MISSING[folder.resolve()] = aside, missing
    return True


def claim_multirun(folder: Path, overwrite: bool) -> bool:
    """Makes a multirun's folder in the same way; its runs are in numbered subfolders."""
    aside = None
    if overwrite and (folder / MULTIRUN).is_file():
        runs = [path.parent.name for path in folder.glob(f"*/{CONFIGURATION}") if path.parent.name.isdecimal()]
        aside = _move_to_backup(folder, [MULTIRUN, LINE, *COMPARED, *runs])
    others = (CONFIGURATION, STUDY, *RUN_FILES)
    if any((folder / name).exists() for name in others) or any(folder.glob(f"*/{CONFIGURATION}")):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / MULTIRUN).touch(exist_ok=False)  # Hydra writes its content
    except FileExistsError:
        return False
    _MADE[folder.resolve()] = aside
    return True


def has_begun(folder: Path) -> None:
    """Marks the run in a folder as begun: deletes the former content that it, or its multirun, replaces."""
    for path in (folder.resolve(), *folder.resolve().parents):
        if aside := _MADE.pop(path, None):
            shutil.rmtree(aside)


def clear_run(folder: Path, names: Iterable[str] = (CONFIGURATION, *RUN_FILES)) -> None:
    """Deletes what a run left in its folder, or what is named of it. Other files stay, as does what links lead to."""
    for name in names:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def free_range_test_folder(folder: Path) -> None:
    """Frees the folder of a range test, so that a run may use it."""
    kept = folder / RANGE_TEST
    if kept.is_dir():
        shutil.rmtree(kept)
    (folder / CONFIGURATION).rename(kept)


def leave_nothing(folder: Path) -> None:
    """Removes the folder of a run that has not begun, if this process made it, and restores its former content."""
    folder = folder.resolve()
    if folder not in _MADE or any((folder / name).exists() for name in (CHECKPOINTS, RESULT)):
        return
    with contextlib.suppress(OSError):
        clear_run(folder)  # what loggers wrote, too
        if aside := _MADE[folder]:
            for path in aside.iterdir():
                path.rename(folder / path.name)
            aside.rmdir()
        for made in _MISSING.get(folder, ()):
            made.rmdir()  # fails if the folder has other content, which ends the loop


def _move_to_backup(folder: Path, names: Iterable[str]) -> Path:
    """Moves the named files of a folder into a new folder beside it."""
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.resolve().name}-replaced-", dir=folder.resolve().parent))
    for name in names:
        if (folder / name).is_symlink() or (folder / name).exists():
            (folder / name).rename(aside / name)
    return aside


@contextlib.contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to write to, which replaces `folder` when the block ends; if the block fails, nothing changes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    former = temporary.with_name(f"{temporary.name}.old")
    try:
        temporary.chmod(0o755)
        yield temporary
        if folder.is_dir():  # renamed first, so that a kill in between loses neither
            folder.replace(former)
        temporary.replace(folder)
        shutil.rmtree(former, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def find_bundle(path: Path) -> Path | None:
    """The bundle at `path`, or in the run folder at `path`; None if there is none."""
    return next((folder for folder in (path, path / BUNDLE) if (folder / BUNDLE_SETTINGS).is_file()), None)


def bundles_inside(path: Path) -> list[Path]:
    """The folders right below `path` that are bundles or hold one, in natural order: the runs of a multirun."""
    inside = sorted((one for one in path.iterdir() if one.is_dir()), key=lambda one: natural(one.name))
    return [one for one in inside if find_bundle(one) is not None]


def bundle_folder(path: Path) -> Path:
    """The bundle at `path`, or in the run folder at `path`.

    Raises:
        InputError: there is none; the message names one right below, where there is one.
    """
    if (found := find_bundle(path)) is not None:
        return found
    if not path.exists():
        raise InputError(f"{path}: no such folder; expected a bundle or a run's folder")
    inside = bundles_inside(path) if path.is_dir() else []
    such_as = f" such as {inside[0]}" + (f" (one of {len(inside)} here)" if inside[1:] else "") if inside else ""
    raise InputError(f"{path}: no {BUNDLE_SETTINGS} here; expected a bundle or the folder of a finished run{such_as}")
