"""How to watch a study in Optuna's dashboard."""

from __future__ import annotations

import importlib.util
import shlex

from hydra_pruning_sweeper.names import NAMES


def how_to_watch(address: str) -> str | None:
    """The line that opens a study's storage in Optuna's dashboard, or else the one that installs the dashboard.

    None for a gRPC proxy, which the dashboard cannot open.

    Args:
        address: the storage's address, without a password.
    """
    if address.startswith("grpc://"):
        return None
    if importlib.util.find_spec("optuna_dashboard") is None:
        return f"Optuna's dashboard, after {NAMES.install_dashboard}"
    return f"optuna-dashboard {shlex.quote(address)}"
