"""`hydra/launcher=slots`: the runs of a multirun side by side on this machine.

Hydra imports this file at every start, so that it imports seqlab only when a multirun begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SlotsLauncher(Launcher):
    """See `seqlab.multiruns.slots_run`; its settings: conf/hydra/launcher/slots.yaml."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keeps what Hydra gives."""
        self.config, self.hydra_context, self.task_function = config, hydra_context, task_function

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs what is not finished of these runs.

        A sweeper besides Hydra's own needs to know what runs return: for it they run in this process, one by one.
        """
        from seqlab.config.multirun import has_slots, read_launch

        if not has_slots(self.config):
            return self._one_by_one(job_overrides, initial_job_idx)
        from seqlab.multiruns.slots_run import launch

        launch(read_launch(self.config), range(initial_job_idx, initial_job_idx + len(job_overrides)))
        return []

    def _one_by_one(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from hydra._internal.core_plugins.basic_launcher import BasicLauncher

        launcher = BasicLauncher()
        launcher.setup(hydra_context=self.hydra_context, task_function=self.task_function, config=self.config)
        returned: Sequence[JobReturn] = launcher.launch(job_overrides, initial_job_idx)
        return returned
