"""`hydra/sweeper=pruning`: Optuna's trials on all cores, pruned while they train, continued after a kill.

Hydra imports this file at every start, so that it imports the rest of `hydra_pruning_sweeper` only when a sweep begins.
"""

from __future__ import annotations

import sys
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_pruning_sweeper.errors import ExecutionError, InterruptionError, UsageError
from hydra_pruning_sweeper.messages import error_lines, printable
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.study.addresses import hidden
from hydra_pruning_sweeper.study.sweeper_settings import ComposedSettings

STOPPED = InterruptionError.exit_code


class PruningSweeper(Sweeper):
    """Runs a study; see `ComposedSettings`."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keeps what Hydra gives."""
        self.config, self.hydra_context, self.task_function = config, hydra_context, task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Runs the trials that the study lacks, and writes its summary."""
        from hydra_pruning_sweeper.run_sweep import SweepRun

        assert self.config is not None
        assert self.hydra_context is not None
        assert self.task_function is not None
        try:
            return SweepRun(self.config, arguments, self.hydra_context, self.task_function).run()
        except KeyboardInterrupt:
            if NAMES.raises:
                raise
            print("stopped; the same line continues the search", file=sys.stderr)
            sys.exit(STOPPED)
        except (UsageError, ExecutionError) as error:  # an application of somebody else would show a traceback
            if NAMES.raises:
                raise
            print(error_lines(printable(hidden(str(error)))), file=sys.stderr)
            sys.exit(error.exit_code)


class SweeperOptions(SearchPathPlugin):
    """Lets every Hydra application find the options of `hydra/sweeper/sampler` and `hydra/sweeper/pruner`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("hydra_pruning_sweeper", "pkg://hydra_pruning_sweeper.conf")


SETTINGS = ComposedSettings(_target_=f"{PruningSweeper.__module__}.{PruningSweeper.__name__}")
ConfigStore.instance().store(group="hydra/sweeper", name="pruning", node=SETTINGS, provider="hydra_pruning_sweeper")
