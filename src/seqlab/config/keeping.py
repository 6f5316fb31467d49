"""Saves the configuration of a run in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from omegaconf import OmegaConf, read_write

from hydra_pruning_sweeper.atomic_files import write_atomically
from seqlab.config.settings import TrainSettings
from seqlab.folders import CONFIGURATION, HYDRA, OVERRIDES, SETTINGS
from seqlab.private_parts import hydras_own_configuration


def pinned(settings: TrainSettings, chosen: Mapping[str, str]) -> TrainSettings:
    """The settings, with values that the data chose for itself added as if they had been typed, so that the run can be
    resumed and measured again with the same data.
    """
    written = {**settings.written, "data": {**settings.written["data"], **chosen}}
    overrides = (*settings.run.overrides, *(f"data.{name}={value}" for name, value in chosen.items()))
    return replace(
        settings,
        data=settings.data.with_settings(**chosen),
        written=written,
        run=replace(settings.run, overrides=overrides),
    )


def keep_configuration(settings: TrainSettings) -> None:
    """Writes the configuration of a resumed run into its folder, in the files that Hydra uses.

    Hydra itself would write them before the settings have been compared with the checkpoint.
    """
    overrides = list(settings.run.overrides)
    of_hydra = hydras_own_configuration()
    with read_write(of_hydra.hydra):
        of_hydra.hydra.output_subdir = CONFIGURATION
        of_hydra.hydra.overrides.task = overrides
    contents = {SETTINGS: OmegaConf.create(dict(settings.written)), HYDRA: of_hydra, OVERRIDES: overrides}
    for name, content in contents.items():
        write_atomically(settings.run.folder / name, OmegaConf.to_yaml(content))
