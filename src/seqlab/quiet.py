"""Which messages of other libraries are shown."""

import logging
import warnings


def quiet() -> None:
    """Silences the advice of Lightning and torchmetrics; errors are still shown."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", module="torchmetrics")
    warnings.filterwarnings("ignore", message=".*compute.*method of metric.*")
