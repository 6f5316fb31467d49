"""Whose a folder is: a trial's says so in `trial.json`, a sweep's in `sweep.json`. Those of others are set aside."""

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
"""What of `trial.json` says which trial the folder is of."""


ROOM = 65536  # bytes that a trial needs at the least
FULL = (errno.ENOSPC, errno.EDQUOT)


def check_disk_space(folder: Path) -> None:
    """Writes a little, and takes it away.

    Raises:
        OSError: there is no room for it.
    """
    probe = folder / ".room"
    with written_atomically(probe) as file:
        file.write(bytes(ROOM))
    probe.unlink()


def is_full(error: Exception) -> bool:
    """Whether an error says that a disk is full: the system's, or SQLite's."""
    return "disk is full" in str(error) or (isinstance(error, OSError) and error.errno in FULL)


def claim_folder(context: TrialContext) -> str | None:
    """Makes the folder in `given` the trial's own. One that is not is renamed to a sibling; the line that says so.

    Raises:
        UsageError: a process that still runs writes into it.
    """
    folder = Path(context.folder)
    if not folder.exists() or not any(folder.iterdir()) or _is_of(folder, context):
        return None
    if is_in_use(folder):
        raise UsageError(f"{folder}: a running trial of another study writes here; choose another hydra.sweep.dir")
    whose = _owner(folder)
    return f"{folder} is of {whose}, so it is set aside as {set_aside(folder).name}"


def is_in_use(folder: Path) -> bool:
    """Whether a process of this machine writes into a trial's folder, or a controller waits for one that will."""
    progress = TrialEvents(folder).read()
    return lives(progress.process) or lives(progress.controller)


def check_still_own(context: TrialContext) -> None:
    """Looks whether a trial's folder is still its own.

    Raises:
        UsageError: another study has made it a trial's of its own, on another machine.
    """
    folder = Path(context.folder)
    if (folder / CONTEXT_FILE).is_file() and not _is_of(folder, context):
        raise UsageError(f"{folder}: by now of {_owner(folder)}, which writes here too; choose another hydra.sweep.dir")


def set_aside(path: Path) -> Path:
    """Renames a file or folder to a sibling that was not there; gives its new place."""
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
