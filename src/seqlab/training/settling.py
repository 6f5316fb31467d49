"""What a run settled for itself, kept as if it had been typed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, read_write

from seqlab.files import write_atomically


def settle(config: DictConfig, settings: Mapping[str, str]) -> None:
    """Adds settings of the data to the run's own, here and in `.hydra`: it is resumed and measured anew with them."""
    if not settings:
        return
    hydra: Any = HydraConfig.get()
    config.data.update(settings)
    with read_write(hydra.overrides):
        hydra.overrides.task.extend([f"data.{name}={value}" for name, value in settings.items()])
    if hydra.output_subdir is not None:
        folder = Path(hydra.runtime.output_dir, hydra.output_subdir)
        write_atomically(folder / "config.yaml", OmegaConf.to_yaml(config))
        write_atomically(folder / "overrides.yaml", OmegaConf.to_yaml(hydra.overrides.task))
