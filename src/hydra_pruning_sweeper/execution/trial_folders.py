"""The folders of trials. `trial.json` says which trial a folder belongs to; folders of other trials are renamed."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import written_atomically
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.study.lease import lives
from hydra_pruning_sweeper.trial.context import CONTEXT_FILE, TrialContext
from hydra_pruning_sweeper.trial.events import TrialEvents

IDENTITY = ("study", "identity", "number", "values", "overrides")
"""The entries of `trial.json` that identify the trial."""

MIN_FREE_BYTES = 65536  # that a trial needs
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def check_disk_space(folder: Path) -> None:
    """Checks that `MIN_FREE_BYTES` can be written.

    Raises:
        OSError: the disk is full.
    """
    probe = folder / ".room"
    with written_atomically(probe) as file:
        file.write(bytes(MIN_FREE_BYTES))
    probe.unlink()


def is_full(error: Exception) -> bool:
    """Whether an error, of the system or of SQLite, means that a disk is full."""
    return "disk is full" in str(error) or (isinstance(error, OSError) and error.errno in DISK_FULL)


def claim_folder(context: TrialContext) -> str | None:
    """Ensures that a trial's folder is empty or belongs to the trial: renames one of another trial.

    Returns:
        A message about the renaming; None if there was none.

    Raises:
        UsageError: a process that still runs writes into it.
    """
    folder = Path(context.folder)
    if not folder.exists() or not any(folder.iterdir()) or _is_of(folder, context):
        return None
    if is_in_use(folder):
        raise UsageError(f"{folder}: a running trial of another study writes here; choose another hydra.sweep.dir")
    owner = _owner(folder)
    return f"{folder} belongs to {owner}, so it is renamed to {rename_to_backup(folder).name}"


def is_in_use(folder: Path) -> bool:
    """Whether a process on this machine runs the trial in this folder, or a controller is about to start one."""
    progress = TrialEvents(folder).read()
    return lives(progress.process) or lives(progress.controller)


def check_owner(context: TrialContext) -> None:
    """Checks that a trial's folder still belongs to the trial.

    Raises:
        UsageError: it now belongs to a trial of another study, which another machine runs.
    """
    folder = Path(context.folder)
    if (folder / CONTEXT_FILE).is_file() and not _is_of(folder, context):
        raise UsageError(
            f"{folder}: now belongs to {_owner(folder)}, which writes here too; choose another hydra.sweep.dir"
        )


def rename_to_backup(path: Path) -> Path:
    """Renames a file or folder to `<name>.aside-<number>`; returns its new path."""
    number = 1
    while (target := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    return path.rename(target)


def _content(folder: Path) -> dict[str, Any]:
    """The content of a folder's `trial.json`; empty if it cannot be read."""
    try:
        content = json.loads((folder / CONTEXT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_of(folder: Path, context: TrialContext) -> bool:
    content = _content(folder)
    expected = json.loads(json.dumps({name: getattr(context, name) for name in IDENTITY}))
    return all(content.get(name) == value for name, value in expected.items())


def _owner(folder: Path) -> str:
    """Which trial a folder belongs to, in words."""
    content = _content(folder)
    if isinstance(content.get("study"), str) and isinstance(content.get("number"), int):
        return f"trial {content['number']} of an earlier or another study {content['study']}"
    return "something that is no trial of this study"
