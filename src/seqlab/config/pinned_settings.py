"""The configuration of a run as it is kept in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, read_write

from hydra_pruning_sweeper.atomic_files import write_atomically

SUBFOLDER = ".hydra"


def settle(config: DictConfig, settings: Mapping[str, str]) -> None:
    """Adds settings that the data chose for itself to the run's own, as if they had been typed: here and, where Hydra
    has written the configuration, in the run's folder. So the run is resumed and measured again with them.
    """
    if not settings:
        return
    hydra: Any = HydraConfig.get()
    config.data.update(settings)
    with read_write(hydra.overrides):
        hydra.overrides.task.extend([f"data.{name}={value}" for name, value in settings.items()])
    if hydra.output_subdir is not None:
        keep_configuration(config)


def keep_configuration(config: DictConfig) -> None:
    """Writes the configuration of this run into its folder, in the files that Hydra writes there.

    Hydra would write them before a run that is resumed has been compared with its checkpoint.
    """
    own = OmegaConf.masked_copy(cast(DictConfig, HydraConfig.instance().cfg), "hydra")
    with read_write(own.hydra):
        own.hydra.output_subdir = SUBFOLDER
    folder = Path(own.hydra.runtime.output_dir, SUBFOLDER)
    contents = {"config": config, "hydra": own, "overrides": own.hydra.overrides.task}
    for name, content in contents.items():
        write_atomically(folder / f"{name}.yaml", OmegaConf.to_yaml(content))
