"""The groups that `--help` of a command lists: those that its configuration names in `hydra.help.footer`."""

from __future__ import annotations

from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from hydra_pruning_sweeper.messages import wrapped
from seqlab.command_line import searchpath
from seqlab.private_parts import options_of


def register_help() -> None:
    """Lets configurations write `${seqlab.groups:data,model}` for the options of these groups, a user's among them."""
    OmegaConf.register_new_resolver("seqlab.groups", _groups, replace=True)


def _groups(*names: str) -> str:
    hydra: Any = HydraConfig.get()
    options = {name: sorted(options_of(name, hydra.job.config_name, searchpath(hydra))) for name in names}
    lines = [wrapped(f"{name}: {', '.join(some)}", indent=2) for name, some in options.items()]
    return "\n".join(["Groups (choose with group=option):", "", *lines, ""])
