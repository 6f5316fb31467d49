"""What stands on a command line beside Hydra's overrides of settings."""

from pathlib import Path
from typing import Any

PRIMARY = "train"
"""The configuration that `seqlab-train` composes when none is named."""


def flags(hydra: Any) -> list[str]:
    """What was typed for the run of the configuration `hydra` to say which configurations there are, and which one it
    is: `--config-dir=FOLDER`, `--config-name=NAME`, `hydra.searchpath=[…]`.

    A folder below the one that the command was typed in is named from there.
    """
    runtime = hydra.runtime
    named = [Path(source.path) for source in runtime.config_sources if source.provider == "command-line"]
    own = [one.relative_to(runtime.cwd) if one.is_relative_to(runtime.cwd) else one for one in named]
    folders = [f"--config-dir={one}" for one in own]
    names = [f"--config-name={hydra.job.config_name}"] if hydra.job.config_name != PRIMARY else []
    return [*folders, *names, *searchpath(hydra)]


def searchpath(hydra: Any) -> list[str]:
    """What was typed of where configurations are looked for: `hydra.searchpath=[…]`."""
    return [one for one in hydra.overrides.hydra if one.lstrip("+").startswith("hydra.searchpath=")]
