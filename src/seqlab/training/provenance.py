"""What a result was made with: code, versions of packages, hardware, command line."""

from __future__ import annotations

import functools
import platform
import shlex
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from seqlab import paths
from seqlab.code_hash import code
from seqlab.config.hydra_run import HydraRun
from seqlab.identity import BEGINNINGS
from seqlab.version import __version__

CPUINFO = Path("/proc/cpuinfo")


def environment(trainer: Trainer) -> dict[str, Any]:
    """Versions, git commit, hash of the code, device, processes and threads."""
    device = trainer.strategy.root_device
    packages = ("torch", "lightning", "hydra-core", "torchmetrics", "numpy", "sentencepiece", "sacrebleu")
    return {
        "seqlab": __version__,
        "commit": commit(),
        "code": code(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} ({processor()})",
        "processes": trainer.world_size,
        "threads": torch.get_num_threads(),
    }


@functools.cache
def cpuinfo() -> dict[str, str]:
    """What Linux tells about its last processor; empty elsewhere."""
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.is_file() else []
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def processor() -> str:
    """The name of the processor, at least its architecture: times are compared on one machine only.

    Virtual machines may give different processors one name.
    """
    return cpuinfo().get("model name") or platform.processor() or platform.machine()


def command(run: HydraRun) -> str:
    """The command line that starts the run from its beginning, even if it was resumed."""
    typed = [one for one in run.overrides if not one.startswith(BEGINNINGS)]
    return shlex.join(["seqlab-train", *run.flags, *typed])


@functools.cache
def commit() -> str | None:
    """The commit of the checkout that seqlab runs from, with "+changes" if files differ; None outside a checkout.

    Read once per process, because files may change after they were imported.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(paths.PACKAGE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", __file__)  # fails if the checkout is that of another project
        watched = (".", str(paths.config_dir()))
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--", *watched) else "")
    except (OSError, subprocess.CalledProcessError):
        return None
