"""Silences other libraries' advice."""

import logging
import warnings


def quiet() -> None:
    """Hides Lightning's hints and warnings, and those of torchmetrics; errors are still shown."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", module="torchmetrics")
    warnings.filterwarnings("ignore", message=".*compute.*method of metric.*")
