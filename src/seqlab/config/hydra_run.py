"""What Hydra knows of a run beside its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from seqlab.command_line import flags


@dataclass(frozen=True)
class HydraRun:
    """How a run was called, and where it writes.

    Args:
        folder: where it writes.
        overrides: the settings that were typed, and those that the data chose (see `keeping.pinned`).
        flags: what was typed to name configurations (see `command_line.flags`).
        config_name: the configuration that is composed.
        choices: the option of each group.
        hydra_overrides: what was typed for Hydra itself.
        multirun: whether it is one of several.
        keeps_configuration: whether Hydra has written the configuration into the folder. Of a resumed run it has not:
            the settings are compared with the checkpoint before.
    """

    folder: Path
    overrides: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    config_name: str = "train"
    choices: Mapping[str, str] = field(default_factory=dict)
    hydra_overrides: tuple[str, ...] = ()
    multirun: bool = False
    keeps_configuration: bool = True


def this_run() -> HydraRun:
    """The run that Hydra has started."""
    hydra: Any = HydraConfig.get()
    return HydraRun(
        folder=Path(hydra.runtime.output_dir),
        overrides=tuple(hydra.overrides.task),
        flags=tuple(flags(hydra)),
        config_name=hydra.job.config_name,
        choices=dict(hydra.runtime.choices),
        hydra_overrides=tuple(hydra.overrides.hydra),
        multirun=hydra.mode == RunMode.MULTIRUN,
        keeps_configuration=hydra.output_subdir is not None,
    )
