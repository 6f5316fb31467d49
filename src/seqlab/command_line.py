"""The part of a command line that says where configurations are found."""

from pathlib import Path
from typing import Any

SLOTS_LAUNCHER = "hydra_plugins.seqlab_configs.slots_launcher.SlotsLauncher"
"""What launches the runs of a multirun where no launcher is named."""
PRIMARY = "train"
"""The configuration that `seqlab-train` composes when none is named."""


def flags(hydra: Any) -> list[str]:
    """The typed flags by which a run, whose Hydra configuration is `hydra`, found its configuration:
    `--config-dir=FOLDER`, `--config-name=NAME`, `hydra.searchpath=[…]`.

    A folder below the current one is named relative to it.
    """
    runtime = hydra.runtime
    named = [Path(source.path) for source in runtime.config_sources if source.provider == "command-line"]
    relative = [one.relative_to(runtime.cwd) if one.is_relative_to(runtime.cwd) else one for one in named]
    folders = [f"--config-dir={one}" for one in relative]
    names = [f"--config-name={hydra.job.config_name}"] if hydra.job.config_name != PRIMARY else []
    return [*folders, *names, *searchpath(hydra)]


def searchpath(hydra: Any) -> list[str]:
    """The typed overrides that extend the search path for configurations: `hydra.searchpath=[…]`."""
    return [one for one in hydra.overrides.hydra if one.lstrip("+").startswith("hydra.searchpath=")]
