"""Hydra's callback that makes the folders of runs and multiruns."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write

from hydra_pruning_sweeper.quoting import quoted
from hydra_pruning_sweeper.study.addresses import conceal
from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE
from seqlab.errors import Carried, InputError
from seqlab.folders import claim_multirun, claim_run
from seqlab.private_parts import let_hydra_know

PRUNING_SWEEPER = "hydra_plugins.pruning_sweeper."
"""A sweep's folder is made by this sweeper: several processes may join its study, or resume it."""


class ExclusiveFolders(Callback):
    """Hydra's callback: makes the folder of a run, or of a multirun, before Hydra writes into it.

    If a folder is named by the time and another run began in the same second, its name gets a number. Trials, resumed
    runs and further processes of a run use the folder that was already made for them.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Makes the folder of a single run, which may use the configuration of a search without searching."""
        conceal(config)
        if TRIAL_VARIABLE not in os.environ and config.hydra.output_subdir is not None and _is_first():
            _make(config, "run", claim_run)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Makes the folder of a multirun; its runs are in numbered subfolders."""
        if not str(config.hydra.sweeper._target_).startswith(PRUNING_SWEEPER):
            _make(config, "sweep", claim_multirun)


def _is_first() -> bool:
    """Whether this is the first (or only) process of a run: launchers such as torchrun start all of them alike."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def _make(config: DictConfig, kind: str, claim: Callable[[Path, bool], bool]) -> None:
    """Makes the folder that `hydra.<kind>.dir` names, and sets `hydra.<kind>.dir` to the one that was made."""
    try:
        let_hydra_know(config)  # names of folders may refer to Hydra's configuration
        made = _made(config, kind, claim)
    except Exception as error:  # Hydra would turn it into a warning
        raise Carried(error) from error
    with read_write(config.hydra):
        config.hydra[kind].dir = str(made)
        # Each run of a multirun is composed again from the typed overrides.
        config.hydra.overrides.hydra.append(f"hydra.{kind}.dir={quoted(str(made))}")


def _made(config: DictConfig, kind: str, claim: Callable[[Path, bool], bool]) -> Path:
    folder = Path(str(config.hydra[kind].dir))
    by_time = "${now:" in str(OmegaConf.to_container(config.hydra[kind], resolve=False)["dir"])  # type: ignore[index,call-overload]
    overwrite = config.overwrite is True and not by_time
    if claim(folder, overwrite):
        return folder
    if by_time:
        names = (folder.with_name(f"{folder.name}_{number}") for number in itertools.count(2))
        return next(name for name in names if claim(name, False))
    what = "run" if kind == "run" else "multirun"
    if overwrite:
        raise InputError(f"hydra.{kind}.dir={folder}: holds something else than a {what}; name another folder")
    raise InputError(
        f"hydra.{kind}.dir={folder}: holds runs already; name another folder,"
        + (f" go on with resume={folder}," if kind == "run" else "")
        + f" or write over a {what} with overwrite=true"
    )
