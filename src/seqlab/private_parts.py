"""The private parts of Hydra, torch and Lightning that seqlab uses, each in one function.

The libraries may change any of these: after an update, `tests/test_private_parts.py` shows which function to look at.
Each docstring names the version that the function works with.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported where they are used: command lines answer without torch, and layers need no Hydra
    from lightning.pytorch import LightningModule, Trainer
    from torch import Tensor, nn


def let_errors_through() -> None:
    """Makes Hydra raise errors, as it does under a debugger, instead of printing them over several lines and exiting
    with 1. (HYDRA_FULL_ERROR does the same, but child processes would inherit it.) hydra-core 1.3.8.
    """
    import hydra._internal.utils

    hydra._internal.utils.is_under_debugger = lambda: True


def share_config_store() -> None:
    """Stops Hydra from copying the store of schemas, which nothing changes. It copies the store for each group that it
    reads, a hundred times for --help: half of the time until help appears. hydra-core 1.3.8.
    """
    from hydra.core.config_store import ConfigStore

    ConfigStore.__deepcopy__ = lambda store, memo: store  # type: ignore[attr-defined]


def run_once() -> None:
    """Makes Hydra treat this process as a single run without composing the configuration once more to find its mode.
    hydra-core 1.3.8.
    """
    from hydra._internal.hydra import Hydra

    Hydra.get_mode = lambda *_, **__: None  # type: ignore[method-assign]


def options_of(group: str, config_name: str, overrides: Sequence[str]) -> list[str]:
    """The options of a group in all folders of the search path. hydra-core 1.3.8."""
    from hydra.core.global_hydra import GlobalHydra

    loader = GlobalHydra.instance().config_loader()
    return list(loader.get_group_options(group, config_name=config_name, overrides=list(overrides)))


def with_hydra_composed(config_name: str | None, overrides: Sequence[str]) -> Any:
    """A configuration without the typed settings, but with Hydra's part. hydra-core 1.3.8."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    loader = GlobalHydra.instance().config_loader()
    return loader.load_configuration(config_name, overrides=list(overrides), run_mode=RunMode.RUN)


def value_of(override: str) -> str:
    """The value of `NAME=VALUE` as Hydra reads it, without its quotes. hydra-core 1.3.8."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return str(OverridesParser.create().parse_override(override).value())


def hydras_own_configuration() -> Any:
    """A copy of Hydra's part of the configuration, under `hydra`. hydra-core 1.3.8."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    return OmegaConf.masked_copy(HydraConfig.instance().cfg, "hydra")  # type: ignore[arg-type]


def let_hydra_know(config: Any) -> None:
    """Makes `${hydra:…}` refer to this configuration before Hydra itself does. hydra-core 1.3.8."""
    from hydra.core.hydra_config import HydraConfig

    HydraConfig.instance().set_config(config)


def is_basic_sweeper(config: Any) -> bool:
    """Whether a multirun is a plain grid, of Hydra's own sweeper. hydra-core 1.3.8."""
    return str(config.hydra.sweeper._target_) == "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


def grid_of(config: Any) -> list[list[str]]:
    """The overrides of each run of a plain grid, in the order in which Hydra's own sweeper numbers them.
    hydra-core 1.3.8.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser

    params = [f"{name}={value}" for name, value in (config.hydra.sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    (grid,) = BasicSweeper.split_arguments(parser.parse_overrides([*params, *config.hydra.overrides.task]), None)
    return grid


def composed_run(config: Any, overrides: Sequence[str]) -> Any:
    """What Hydra composes for one run of a multirun. hydra-core 1.3.8."""
    from hydra.core.global_hydra import GlobalHydra

    return GlobalHydra.instance().config_loader().load_sweep_config(config, list(overrides))


class HydraApart:
    """Hydra for one call from Python, whatever else of Hydra is in use in this process. hydra-core 1.3.8."""

    def __init__(self, hydra: Any) -> None:
        self.hydra = hydra

    def run(self, config_name: str, overrides: Sequence[str], task: Callable[[Any], Any]) -> tuple[Any, Path]:
        """What the task returns for a single run, and the run's folder."""
        from hydra.types import RunMode

        mode = f"hydra.mode={RunMode.RUN.name}"
        done = self.hydra.run(config_name, task, [*overrides, mode], with_log_configuration=False)
        return done.return_value, Path(done.hydra_cfg.hydra.runtime.output_dir)

    def multirun(self, config_name: str, overrides: Sequence[str], task: Callable[[Any], Any]) -> tuple[Any, Path]:
        """What the sweeper returns for a multirun, and the multirun's folder."""
        from hydra._internal.callbacks import Callbacks
        from hydra.core.plugins import Plugins
        from hydra.types import HydraContext, RunMode

        config = self.hydra.compose_config(config_name, list(overrides), RunMode.MULTIRUN, with_log_configuration=False)
        config.hydra.mode = RunMode.MULTIRUN
        callbacks = Callbacks(config)
        callbacks.on_multirun_start(config=config, config_name=config_name)
        context = HydraContext(config_loader=self.hydra.config_loader, callbacks=callbacks)
        sweeper = Plugins.instance().instantiate_sweeper(config=config, hydra_context=context, task_function=task)
        done = sweeper.sweep(arguments=list(config.hydra.overrides.task))
        callbacks.on_multirun_end(config=config, config_name=config_name)
        return done, Path(str(config.hydra.sweep.dir))


@contextlib.contextmanager
def hydra_apart(config_dir: Path, further: Sequence[Path] = ()) -> Iterator[HydraApart]:
    """A block in which Hydra composes from `config_dir`, and from `further` folders before it. What the caller has
    initialised is in place again after it. hydra-core 1.3.8.
    """
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_search_path import SearchPathQuery
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.version import VersionBase, setbase

    before = GlobalHydra.instance().hydra, HydraConfig.instance().cfg, VersionBase.instance().version_base
    GlobalHydra.instance().clear()
    setbase("1.3")
    try:
        search_path = create_config_search_path(str(config_dir))
        for folder in further:
            place = SearchPathQuery(provider="schema")
            search_path.prepend(provider="command-line", path=f"file://{folder}", anchor=place)
        yield HydraApart(Hydra.create_main_hydra2("train", search_path))
    finally:
        GlobalHydra.instance().hydra, HydraConfig.instance().cfg, VersionBase.instance().version_base = before


def cpu_has_bf16() -> bool:
    """Whether oneDNN has kernels for bf16 on this processor. torch 2.13.0."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def parts_of(module: nn.Module) -> dict[str, Any]:
    """The direct parameters and submodules of a module by name, those that are None included. torch 2.13.0."""
    return {**module._parameters, **module._modules}


def has_hooks(module: nn.Module) -> bool:
    """Whether a function is called before or after each forward of a module. torch 2.13.0."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


def trainer_of(module: LightningModule) -> Trainer | None:
    """The trainer of a module; None in a user's own loop, where `module.trainer` raises. lightning 2.6.6."""
    return module._trainer


def position_of(checkpoint: Mapping[str, Any]) -> tuple[int, bool]:
    """How many epochs the run of a checkpoint has begun, and whether it is in the middle of the last one.
    lightning 2.6.6.
    """
    loop = checkpoint["loops"]["fit_loop"]
    batches = loop["epoch_loop.batch_progress"]
    within = not batches["is_last_batch"] and batches["current"]["ready"] > 0
    return loop["epoch_progress"]["current"]["ready"], within


def epochs_begun(trainer: Trainer) -> int:
    """How many epochs training has begun, which Lightning still counts if nothing is left to train. lightning 2.6.6."""
    return trainer.fit_loop.epoch_progress.current.ready


def training_ends(trainer: Trainer) -> bool:
    """Whether training ends with the current batch, wherever its epoch is then. lightning 2.6.6."""
    loop = trainer.fit_loop
    return 0 <= loop.max_steps <= trainer.global_step or (trainer.should_stop and loop._can_stop_early)


def let_epochs_end(trainer: Trainer) -> None:
    """Makes a run that is resumed after a whole epoch begin the next one. With `max_steps`, Lightning would go on in
    the epoch that is over, because it saves epochs that the limit cut off as if they had ended; the saver does not.
    lightning 2.6.6.
    """
    trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]


def validation_follows(trainer: Trainer) -> bool:
    """Whether the batch that training has just ended is followed by a validation. lightning 2.6.6."""
    loop = trainer.fit_loop.epoch_loop
    if not loop._should_check_val_fx(trainer.fit_loop._data_fetcher):  # type: ignore[arg-type]
        return False
    loop.val_loop.setup_data()  # without a validation split none follows
    return not loop.val_loop.skip


def completed_validation(checkpoint: dict[str, Any]) -> None:
    """Makes a checkpoint that was taken at the end of a validation like one from just before it: when such a run is
    resumed, Lightning counts the validation as done, whatever the settings are then. lightning 2.6.6.
    """
    batches = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    for counts in (batches["total"], batches["current"]):
        counts["completed"] = counts["processed"] - 1


def copy_all(targets: list[Tensor], sources: list[Tensor]) -> None:
    """Copies each source into its target, with a few kernels for all of them. torch 2.13.0."""
    import torch

    torch._foreach_copy_(targets, sources)


def add_all(targets: list[Tensor], sources: list[Tensor]) -> None:
    """Adds each source to its target, with a few kernels for all of them. torch 2.13.0."""
    import torch

    torch._foreach_add_(targets, sources)
