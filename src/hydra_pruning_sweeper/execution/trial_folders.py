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

ROOM = 65536  # bytes that a trial needs at least
FULL = (errno.ENOSPC, errno.EDQUOT)


def check_disk_space(folder: Path) -> None:
    """Checks that a little can be written.

    Raises:
        OSError: the disk is full.
    """
    probe = folder / ".room"
    with written_atomically(probe) as file:
        file.write(bytes(ROOM))
    probe.unlink()


def is_full(error: Exception) -> bool:
    """Whether an error, of the system or of SQLite, means that a disk is full."""
    return "disk is full" in str(error) or (isinstance(error, OSError) and error.errno in FULL)


def claim_folder(context: TrialContext) -> str | None:
    """Ensures that the trial's folder is its own or empty. Renames one of another trial; returns a line about that.

    Raises:
        UsageError: a process that still runs writes into it.
    """
    folder = Path(context.folder)
    if not folder.exists() or not any(folder.iterdir()) or _is_of(folder, context):
        return None
    if is_in_use(folder):
        raise UsageError(f"{folder}: a running trial of another study writes here; choose another hydra.sweep.dir")
    whose = _owner(folder)
    return f"{folder} belongs to {whose}, so it is renamed to {set_aside(folder).name}"


def is_in_use(folder: Path) -> bool:
    """Whether a process on this machine runs the trial in this folder, or a controller is about to start one."""
    progress = TrialEvents(folder).read()
    return lives(progress.process) or lives(progress.controller)


def check_still_own(context: TrialContext) -> None:
    """Checks that a trial's folder is still its own.

    Raises:
        UsageError: it now belongs to a trial of another study, on another machine.
    """
    folder = Path(context.folder)
    if (folder / CONTEXT_FILE).is_file() and not _is_of(folder, context):
        raise UsageError(
            f"{folder}: now belongs to {_owner(folder)}, which writes here too; choose another hydra.sweep.dir"
        )


def set_aside(path: Path) -> Path:
    """Renames a file or folder to `<name>.aside-<number>`; returns its new path."""
    number = 1
    while (target := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    return path.rename(target)


def _content(folder: Path) -> dict[str, Any]:
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
    content = _content(folder)
    if isinstance(content.get("study"), str) and isinstance(content.get("number"), int):
        return f"trial {content['number']} of an earlier or another study {content['study']}"
    return "something that is no trial of this study"
