"""The trial's side: how a process learns which trial it is, and says what that came to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.names import STORAGE_VARIABLE
from hydra_pruning_sweeper.trial.events import TrialEvents

TRIAL_VARIABLE = "SWEEPER_TRIAL_CONTEXT"  # names the file
CONTEXT_FILE = "trial.json"


@dataclass(frozen=True)
class TrialContext:
    """What a trial's process is given: a file in the trial's folder, which its environment names.

    Args:
        study: its name.
        storage: where it is kept; None where the address holds a password and stands in the environment instead.
        number: which trial of it.
        folder: the trial's own.
        identity: the study's, which no other study of that name has.
        values: what was chosen for the trial.
        overrides: its whole command line.
        pruner: its configuration, with a `_target_`; None for no pruning.
        direction: "minimize" or "maximize".
    """

    study: str
    storage: str | None
    number: int = 0
    folder: str = ""
    identity: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    pruner: dict[str, Any] | None = None
    direction: Literal["minimize", "maximize"] = "minimize"

    def write(self) -> Path:
        """Writes the file."""
        path = Path(self.folder) / CONTEXT_FILE
        write_atomically(path, json.dumps(asdict(self)) + "\n")
        return path

    def address(self) -> str:
        """Where the study is kept.

        Raises:
            UsageError: the environment does not say so.
        """
        found = self.storage or os.environ.get(STORAGE_VARIABLE)
        if not found:
            raise UsageError(
                f"{STORAGE_VARIABLE} must hold the address of the storage where this trial runs, but is not set"
            )
        return found


def current_trial(environment: Mapping[str, str] = os.environ) -> TrialContext | None:
    """The trial that this process is; None outside of a sweep."""
    path = environment.get(TRIAL_VARIABLE)
    return TrialContext(**json.loads(Path(path).read_text(encoding="utf-8"))) if path else None


def record_end(value: Any) -> None:
    """Notes what the trial came to; does nothing outside of a sweep."""
    if (context := current_trial()) is not None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        TrialEvents(Path(context.folder)).add("ended", value=float(value) if number else None)
