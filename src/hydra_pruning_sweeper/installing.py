"""What to type to install a package into the environment that runs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def install(what: str) -> str:
    """The line that installs `what`, as it can be typed here.

    It names `pip` alone where that is this environment's, else the path of this environment's.
    """
    return f"{_pip()} install {what}"


def _pip() -> str:
    own = Path(sys.prefix, "bin", "pip")
    found = shutil.which("pip")
    if not own.exists() or (found is not None and Path(found).parent.resolve() == own.parent.resolve()):
        return "pip"
    return typed_path(own)


def typed_path(path: Path) -> str:
    """A path as one would type it here: relative if it is below the working directory."""
    here = Path(os.path.abspath(path))  # noqa: PTH100  # links stay as they are
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)
