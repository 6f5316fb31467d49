"""How a process learns which trial it runs, and records the trial's result."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.objectives import Goal, result_of
from hydra_pruning_sweeper.trial.events import TrialEvents

TRIAL_VARIABLE = "SWEEPER_TRIAL_CONTEXT"  # environment variable with the path of that file
CONTEXT_FILE = "trial.json"


@dataclass(frozen=True)
class TrialContext:
    """What the process of a trial needs to know: a file in the trial's folder, whose path is in its environment.

    Args:
        study: the study's name.
        storage: its storage's address; None where that contains a password and is in the environment instead.
        number: the trial's number.
        folder: the trial's folder.
        identity: the study's identity, which other studies of that name do not share.
        values: the trial's values.
        overrides: its whole command line.
        pruner: the pruner's configuration, with a `_target_`; None for no pruning.
        direction: the search's direction, or those of its objectives.
        storage_variable: the environment variable that has the address where `storage` is None.
    """

    study: str
    storage: str | None
    number: int = 0
    folder: str = ""
    identity: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    pruner: dict[str, Any] | None = None
    direction: Goal = "minimize"
    storage_variable: str = field(default_factory=lambda: NAMES.storage_variable)

    def write(self) -> Path:
        """Writes the file; returns its path."""
        path = Path(self.folder) / CONTEXT_FILE
        write_atomically(path, json.dumps(asdict(self)) + "\n")
        return path

    def address(self) -> str:
        """The storage's address.

        Raises:
            UsageError: it should be in the environment, but is not.
        """
        address = self.storage or os.environ.get(self.storage_variable)
        if not address:
            raise UsageError(
                f"{self.storage_variable} must hold the address of the storage where this trial runs, but is not set"
            )
        return address


def context_of_trial(environment: Mapping[str, str] = os.environ) -> TrialContext | None:
    """The context of the trial that this process runs; None outside of a sweep."""
    path = environment.get(TRIAL_VARIABLE)
    return TrialContext(**json.loads(Path(path).read_text(encoding="utf-8"))) if path else None


def record_end(value: Any, environment: Mapping[str, str] = os.environ) -> None:
    """Records the result of the task of the trial that has this environment, as `result_of` reads it; does nothing
    outside of a sweep.
    """
    if (context := context_of_trial(environment)) is not None:
        result, problem = result_of(value, context.direction)
        more = {} if problem is None else {"problem": problem}
        TrialEvents(Path(context.folder)).add("ended", value=result, **more)
