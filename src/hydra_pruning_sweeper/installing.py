"""What to type to install a package into the environment that runs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from hydra_pruning_sweeper.quoting import typed_path


def install(what: str) -> str:
    """The line that installs `what`, as it can be typed here.

    It names `pip` alone where that is this environment's, else the path of this environment's.
    """
    return f"{_pip()} install {what}"


def _pip() -> str:
    local = Path(sys.prefix, "bin", "pip")
    on_path = shutil.which("pip")
    if not local.exists() or (on_path is not None and Path(on_path).parent.resolve() == local.parent.resolve()):
        return "pip"
    return str(typed_path(local))
