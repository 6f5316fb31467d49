"""Settings that no constructor takes, held against what they may be."""

from __future__ import annotations

from typing import Any, cast

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from seqlab.errors import InputError


def check_settings(config: DictConfig) -> None:
    """Holds the settings that no constructor takes against what they may be.

    Raises:
        InputError: one is of another kind.
    """
    if not isinstance(config.seed, int) or not 0 <= config.seed < 2**32:
        raise InputError(f"seed must be an integer of 0 to 2³² − 1, but is {config.seed!r}")
    if config.weights not in ("best", "last", "average"):
        raise InputError(f"weights must be best, last or average, but is {config.weights!r}")
    for name in ("find_lr", "compile", "measure", "overwrite"):
        if not isinstance(config[name], bool):
            raise InputError(f"{name} must be true or false, but is {config[name]!r}")
    if config.find_lr and config.resume is not None:
        raise InputError(f"find_lr looks for a rate to begin with, but this run is resumed from {config.resume}")
    if "tokenizer" in config and "tokenizer" not in config.data:
        chosen = HydraConfig.get().runtime.choices["data"]
        raise InputError(f"tokenizer: data={chosen} has no text for a tokenizer to learn; leave it out")
    for name in ("max_epochs", "max_steps"):
        if config.resume is None and OmegaConf.select(config, f"trainer.{name}") == 0:
            raise InputError(
                f"trainer.{name} must be at least 1, or −1 for no limit, but is 0: nothing would be trained"
            )
    norm = OmegaConf.select(config, "trainer.gradient_clip_val")
    if isinstance(norm, int | float) and norm <= 0:  # Lightning would not clip, and not say so
        raise InputError(f"trainer.gradient_clip_val must be above 0, or null for no limit, but is {norm}")
    if config.model_size is not None:
        check_size(config.model_size)


def check_size(size: str) -> None:
    """Sees to it that the model has a size of this name: where it has none, Hydra leaves the model as it is.

    Raises:
        InputError: it has none.
    """
    hydra = HydraConfig.get()
    chosen = hydra.runtime.choices["sizes@model"]
    loader, flags = GlobalHydra.instance().config_loader(), list(hydra.overrides.hydra)
    if chosen not in loader.get_group_options("sizes", config_name=hydra.job.config_name, overrides=flags):
        raise InputError(
            f"model_size={size}: no sizes/{chosen}.yaml among the configurations, so this model has no such size; write"
            " that file beside conf/model, or leave model_size out"
        )


def plain(config: DictConfig, resolve: bool = False) -> dict[str, Any]:
    """Settings as plain data; unresolved they name no folder of this machine."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=resolve))
