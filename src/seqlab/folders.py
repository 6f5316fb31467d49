"""A run's folder belongs to one run: made exclusively, and never written over unless that is asked for."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write

from seqlab.errors import Carried, InputError
from seqlab.sweeping.addresses import conceal
from seqlab.sweeping.handover import VARIABLE

CONFIGURATION = ".hydra"
LEFT = (
    *("checkpoints", "bundle", "tensorboard", "metrics.csv", "predictions.tsv", "result.json"),
    *("evaluation.json", "digest.json", "error.txt"),
)
"""What a run leaves beside its configuration."""
RATE_TEST = "lr_find.csv"
"""What a range test leaves, which is no run: one may follow in its folder."""
MULTIRUN = "multirun.yaml"
COMPARED = ("comparison.csv", "comparison.md")
OWN_SWEEPER = "hydra_plugins.seqlab_sweeper."
"""Its folder belongs to a study, which is joined and gone on with."""


class ExclusiveFolders(Callback):
    """Hydra's callback: makes the folder of a run, or of a multirun, before Hydra writes into it.

    A folder that is named by the time gets a number behind its name where another run began in the same second.
    Trials, resumed runs and the processes that DDP starts find the folder that was made for them.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Makes the folder of a single run, whose configuration may be a search's that is not run as one."""
        conceal(config)
        if VARIABLE not in os.environ and config.hydra.output_subdir is not None:
            _make(config, "run", claim_run)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Makes the folder of a multirun; its runs have folders in it, by their numbers."""
        if not str(config.hydra.sweeper._target_).startswith(OWN_SWEEPER):
            _make(config, "sweep", claim_multirun)


def _make(config: DictConfig, kind: str, claim: Callable[[Path, bool], bool]) -> None:
    """Makes the folder that `hydra.<kind>.dir` names, and names the one that was made."""
    try:
        HydraConfig.instance().set_config(config)  # which names of folders refer to; Hydra itself does so later
        made = _made(config, kind, claim)
    except Exception as error:  # which Hydra would take for a warning
        raise Carried(error) from error
    with read_write(config.hydra):
        config.hydra[kind].dir = str(made)


def _made(config: DictConfig, kind: str, claim: Callable[[Path, bool], bool]) -> Path:
    folder = Path(str(config.hydra[kind].dir))
    if claim(folder, config.overwrite is True):
        return folder
    if "${now:" not in str(OmegaConf.to_container(config.hydra[kind], resolve=False)["dir"]):  # type: ignore[index,call-overload]
        raise InputError(
            f"hydra.{kind}.dir={folder}: holds a {'run' if kind == 'run' else 'multirun'} already; name another folder,"
            + (f" go on with resume={folder}," if kind == "run" else "")
            + " or write over it with overwrite=true"
        )
    names = (folder.with_name(f"{folder.name}_{number}") for number in itertools.count(2))
    return next(name for name in names if claim(name, False))


def claim_run(folder: Path, overwrite: bool) -> bool:
    """Makes a run's folder, for this process alone; False where another run has it.

    Args:
        overwrite: takes away what an earlier run left there first. Other files in the folder stay.
    """
    if overwrite:
        for name in (CONFIGURATION, RATE_TEST, *LEFT):
            _remove(folder / name)
    elif any((folder / name).exists() for name in LEFT):
        return False
    try:
        # Of two that begin at once one makes it.
        (folder / CONFIGURATION).mkdir(parents=True, exist_ok=(folder / RATE_TEST).is_file())
    except FileExistsError:
        return False
    return True


def claim_multirun(folder: Path, overwrite: bool) -> bool:
    """Makes a multirun's folder, in the same way."""
    if overwrite:
        for path in list(folder.glob(f"*/{CONFIGURATION}")):
            shutil.rmtree(path.parent)
        for name in (MULTIRUN, *COMPARED):
            _remove(folder / name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / MULTIRUN).touch(exist_ok=False)  # which Hydra fills
    except FileExistsError:
        return False
    return True


def leave_nothing(folder: Path) -> None:
    """Takes away the folder of a run that could not begin: one that holds nothing but its configuration."""
    with contextlib.suppress(OSError):
        if [path.name for path in folder.iterdir()] == [CONFIGURATION]:
            shutil.rmtree(folder / CONFIGURATION)
            folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
