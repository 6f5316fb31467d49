"""What of other libraries' talk is heard."""

import logging
import warnings


def quiet() -> None:
    """Leaves Lightning's advice out of the output; its errors stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", module="torchmetrics")
    warnings.filterwarnings("ignore", message=".*compute.*method of metric.*")
