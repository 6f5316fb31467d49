"""The private parts of Hydra, torch and Lightning that seqlab uses, each in one function.

None of these is promised to stay: when one of the libraries is updated, `tests/test_private_parts.py` tells which
function to look at. A function says with which versions it was seen to work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported where they are used: command lines answer without torch, and layers need no Hydra
    from lightning.pytorch import LightningModule, Trainer
    from torch import nn


def let_errors_through() -> None:
    """Has Hydra raise errors instead of printing them over several lines and exiting with 1: it then takes itself to
    be debugged. (HYDRA_FULL_ERROR would do it, too, but whatever a run starts would inherit that.) hydra-core 1.3.8.
    """
    import hydra._internal.utils

    hydra._internal.utils.is_under_debugger = lambda: True


def share_config_store() -> None:
    """Has Hydra work on the one store of all plugins' schemas. It copies the store whenever it looks into a group, a
    hundred times for --help, though nobody changes a copy: half of the time until help appears. hydra-core 1.3.8.
    """
    from hydra.core.config_store import ConfigStore

    ConfigStore.__deepcopy__ = lambda store, memo: store  # type: ignore[attr-defined]


def run_once() -> None:
    """Has Hydra take this process for a single run, whatever its configuration says, which it would compose once more
    to see. hydra-core 1.3.8.
    """
    from hydra._internal.hydra import Hydra

    Hydra.get_mode = lambda *_, **__: None  # type: ignore[method-assign]


def options_of(group: str, config_name: str, overrides: Sequence[str]) -> list[str]:
    """The options of a group, among all places where configurations are looked for. hydra-core 1.3.8."""
    from hydra.core.global_hydra import GlobalHydra

    loader = GlobalHydra.instance().config_loader()
    return list(loader.get_group_options(group, config_name=config_name, overrides=list(overrides)))


def with_hydra_composed(config_name: str | None, overrides: Sequence[str]) -> Any:
    """A configuration as it is without what was typed, Hydra's own part included. hydra-core 1.3.8."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    loader = GlobalHydra.instance().config_loader()
    return loader.load_configuration(config_name, overrides=list(overrides), run_mode=RunMode.RUN)


def value_of(override: str) -> str:
    """The value of `NAME=VALUE` as Hydra reads it, without quotes around it. hydra-core 1.3.8."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return str(OverridesParser.create().parse_override(override).value())


def hydras_own_configuration() -> Any:
    """A copy of the part of the configuration that is Hydra's own, under `hydra`. hydra-core 1.3.8."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    return OmegaConf.masked_copy(HydraConfig.instance().cfg, "hydra")  # type: ignore[arg-type]


def let_hydra_know(config: Any) -> None:
    """Makes this the configuration that `${hydra:…}` refers to, which Hydra itself does later. hydra-core 1.3.8."""
    from hydra.core.hydra_config import HydraConfig

    HydraConfig.instance().set_config(config)


def cpu_has_bf16() -> bool:
    """Whether oneDNN has kernels for bf16 on this processor. torch 2.13.0."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def parts_of(module: nn.Module) -> dict[str, Any]:
    """The parameters (None among them) and the modules that a module holds directly, by name. torch 2.13.0."""
    return {**module._parameters, **module._modules}


def trainer_of(module: LightningModule) -> Trainer | None:
    """The trainer of a module; None in a loop of one's own, where `module.trainer` raises. lightning 2.6.6."""
    return module._trainer


def position_of(checkpoint: Mapping[str, Any]) -> tuple[int, bool]:
    """How many epochs of training the run of a checkpoint has begun, and whether it stands within the last of them.
    lightning 2.6.6.
    """
    loop = checkpoint["loops"]["fit_loop"]
    batches = loop["epoch_loop.batch_progress"]
    within = not batches["is_last_batch"] and batches["current"]["ready"] > 0
    # An epoch that a limit of steps cut off counts as processed, too; begun it is.
    return loop["epoch_progress"]["current"]["ready"], within
