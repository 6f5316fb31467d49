"""What users type and set, as the application around this package names it, and what it refuses. It hands both in when
it starts."""

from collections.abc import Callable
from dataclasses import dataclass, field

from omegaconf import DictConfig

from hydra_pruning_sweeper.installing import install


@dataclass
class Names:
    """The names that messages spell out and that trials are started with, and a check.

    Attributes:
        command: the command that looks at a study and repairs it (`views.command.run`).
        storage_variable: the environment variable with the address of a storage that holds a password, since no file
            may hold one.
        install_dashboard: the line that installs Optuna's dashboard.
        install_matplotlib: the line that installs what draws.
        launcher: the target of the application's launcher that is in use where none is named: trials are then forked.
        raises: whether errors of a sweep are raised for a caller, instead of ending the command with a line.
        check: refuses a trial's composed configuration with a `UsageError`, before the first trial starts.
    """

    command: str = "hydra-pruning-sweeper"
    storage_variable: str = "SWEEPER_STORAGE"
    install_dashboard: str = field(default_factory=lambda: install("optuna-dashboard"))
    install_matplotlib: str = field(default_factory=lambda: install("matplotlib"))
    launcher: str | None = None
    raises: bool = False
    check: Callable[[DictConfig], None] | None = None


NAMES = Names()
"""The names in use; an application sets those that it calls differently."""
