"""How Hydra started a run, beside its settings."""

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
        overrides: the typed settings, and those that the data chose (see `keeping.pinned`).
        flags: the typed flags that say where configurations are found (see `command_line.flags`).
        config_name: the primary configuration.
        choices: the chosen option of each group.
        hydra_overrides: the typed settings of Hydra itself.
        multirun: whether it is one run of a multirun.
        keeps_configuration: whether Hydra has written the configuration into the folder. It does not for a resumed
            run, whose settings are compared with the checkpoint first.
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
