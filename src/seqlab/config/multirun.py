"""A multirun as Hydra composes it: its runs, and how they are to be launched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from hydra_pruning_sweeper.execution.slot_count import AUTO
from seqlab.command_line import SLOTS_LAUNCHER, flags
from seqlab.config.plain import comparable, plain
from seqlab.config.setting_checks import check_count, is_count
from seqlab.identity import BEGINNINGS
from seqlab.private_parts import composed_run, grid_of, is_basic_sweeper, let_hydra_know

OF_THE_MULTIRUN = ("hydra.sweep", "hydra/sweep", "hydra.launcher", "hydra/launcher", "hydra.mode", "hydra.searchpath")
"""Prefixes of Hydra's own settings that its single runs do not take over."""


@dataclass(frozen=True)
class GridRun:
    """One run of a multirun.

    Args:
        number: counted from 0.
        overrides: its task overrides, without those of how it begins.
        subfolder: its folder below that of the multirun.
        settings: what they compose to (see `comparable`).
    """

    number: int
    overrides: tuple[str, ...]
    subfolder: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class LaunchSettings:
    """conf/hydra/launcher/slots.yaml, and what the command line says for all runs.

    Args:
        slots: how many run at a time; None: as many as are measured to pay.
        threads: of each run; None: the cores divided by the slots.
        gpus: how many each run has; 0 for runs without any.
        arguments: flags and Hydra's own settings that each run takes over.
    """

    folder: Path
    slots: int | None
    threads: int | None
    gpus: int
    arguments: tuple[str, ...]


def read_launch(config: DictConfig) -> LaunchSettings:
    """The settings of the launcher of slots.

    Raises:
        InputError: one has a value that is not allowed.
    """
    launcher = config.hydra.launcher
    check_count("hydra.launcher.slots", launcher.slots, AUTO)
    for name in ("threads", "gpus"):
        check_count(f"hydra.launcher.{name}", launcher[name], None)
    devices = OmegaConf.select(config, "trainer.devices")
    on_cpu = OmegaConf.select(config, "trainer.accelerator") == "cpu"
    typed = [str(one) for one in config.hydra.overrides.hydra]
    return LaunchSettings(
        folder=Path(str(config.hydra.sweep.dir)),
        slots=None if launcher.slots == AUTO else launcher.slots,
        threads=launcher.threads,
        gpus=0 if on_cpu else launcher.gpus or (devices if is_count(devices) else 1),
        arguments=(*flags(config.hydra), *(one for one in typed if not one.lstrip("+~").startswith(OF_THE_MULTIRUN))),
    )


def has_slots(config: DictConfig) -> bool:
    """Whether the launcher of slots runs the multirun: no other is named, nor a sweeper that reads what runs return."""
    return str(config.hydra.launcher._target_) == SLOTS_LAUNCHER and is_basic_sweeper(config)


def grid_runs(config: DictConfig) -> list[GridRun]:
    """The runs of a multirun, composed from the whole of its configuration; Hydra's errors are raised."""
    return [_run(config, number, overrides) for number, overrides in enumerate(grid_of(config))]


def _run(config: DictConfig, number: int, overrides: Sequence[str]) -> GridRun:
    composed = composed_run(config, overrides)
    with open_dict(composed):
        composed.hydra.job.num = composed.hydra.job.id = number
    let_hydra_know(composed)
    subfolder = str(OmegaConf.select(composed, "hydra.sweep.subdir"))
    settings = {name: value for name, value in plain(composed).items() if name != "hydra"}
    kept = tuple(one for one in overrides if not one.startswith(BEGINNINGS))
    return GridRun(number, kept, subfolder, comparable(settings))
