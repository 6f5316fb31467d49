"""What stands on a command line beside Hydra's overrides."""

from pathlib import Path
from typing import Any


def config_dirs(runtime: Any) -> list[str]:
    """The `--config-dir=FOLDER` that was typed for the run of `hydra.runtime`, if one was.

    A folder below the one that the command was typed in is named from there.
    """
    named = [Path(source.path) for source in runtime.config_sources if source.provider == "command-line"]
    own = [one.relative_to(runtime.cwd) if one.is_relative_to(runtime.cwd) else one for one in named]
    return [f"--config-dir={one}" for one in own]
