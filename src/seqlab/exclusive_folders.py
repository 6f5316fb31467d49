"""Hydra's callback that makes the folders of runs and multiruns."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write

from hydra_pruning_sweeper.messages import labelled, printable
from hydra_pruning_sweeper.quoting import quoted
from hydra_pruning_sweeper.study.addresses import conceal
from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE
from seqlab.errors import Carried, InputError
from seqlab.folders import LINE, claim_multirun, claim_run
from seqlab.identity import BEGINNINGS
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
        """Makes the folder of a multirun, unless the same line was typed before: then it continues that multirun."""
        if str(config.hydra.sweeper._target_).startswith(PRUNING_SWEEPER):
            return
        from seqlab.config.multirun import has_slots

        if has_slots(config):
            _continue_or_make(config)
        else:
            _make(config, "sweep", claim_multirun)


def _is_first() -> bool:
    """Whether this is the first (or only) process of a run: launchers such as torchrun start all of them alike."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def _continue_or_make(config: DictConfig) -> None:
    """Sets `hydra.sweep.dir` to the folder of the same line's multirun, or makes a new folder and keeps the line in it.

    `overwrite=true` begins anew.
    """
    from seqlab.code_hash import code
    from seqlab.config.multirun import grid_runs
    from seqlab.multiruns.typed_line import TypedLine, folder_to_continue

    try:
        let_hydra_know(config)
        typed = tuple(one for one in config.hydra.overrides.task if not str(one).startswith(BEGINNINGS))
        line = TypedLine(typed, code(), tuple(grid_runs(config)))
        let_hydra_know(config)  # the last run was known instead
        folder, by_time = _named(config, "sweep")
        kept = folder.parent.glob(f"*/{LINE}") if by_time else folder.glob(LINE)
        before = [path.parent for path in kept]
        found, why = (None, None) if config.overwrite is True else folder_to_continue(line, before)
    except Exception as error:  # Hydra would turn it into a warning
        raise Carried(error) from error
    if found is not None:
        _set(config, "sweep", found)
        return
    if why is not None and by_time:
        print(labelled("new", printable(f"{why}: this one begins anew")))
    _make(config, "sweep", claim_multirun, why)
    line.write(Path(str(config.hydra.sweep.dir)))


def _make(config: DictConfig, kind: str, claim: Callable[[Path, bool], bool], why: str | None = None) -> None:
    """Makes the folder that `hydra.<kind>.dir` names, and sets `hydra.<kind>.dir` to the one that was made.

    Args:
        why: why the multirun in the folder is not continued, if it is of the same line.
    """
    try:
        let_hydra_know(config)  # names of folders may refer to Hydra's configuration
        made = _made(config, kind, claim, why)
    except Exception as error:  # Hydra would turn it into a warning
        raise Carried(error) from error
    _set(config, kind, made)


def _set(config: DictConfig, kind: str, folder: Path) -> None:
    with read_write(config.hydra):
        config.hydra[kind].dir = str(folder)
        # Each run of a multirun is composed again from the typed overrides.
        config.hydra.overrides.hydra.append(f"hydra.{kind}.dir={quoted(str(folder))}")


def _named(config: DictConfig, kind: str) -> tuple[Path, bool]:
    """The folder that `hydra.<kind>.dir` names, and whether it is named by the time."""
    unresolved: Any = OmegaConf.to_container(config.hydra[kind], resolve=False)
    return Path(str(config.hydra[kind].dir)), "${now:" in str(unresolved["dir"])


def _made(config: DictConfig, kind: str, claim: Callable[[Path, bool], bool], why: str | None) -> Path:
    folder, by_time = _named(config, kind)
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
        f"hydra.{kind}.dir={folder}: {'holds runs already' if why is None else why}; name another folder,"
        + (f" go on with resume={folder}," if kind == "run" else "")
        + f" or write over a {what} with overwrite=true"
    )
