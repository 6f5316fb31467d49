"""The power laws of a claim as a table: what a README and the page show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra_pruning_sweeper.messages import signed
from seqlab.reproduction.power_law import PowerLaw

HEADS = ("architecture", "at one TFLOP", "exponent (95 % interval over seeds)", "ten times the compute", "R²")
NOTE = (
    "The law of each architecture is y = a · TFLOP^−exponent: the least-squares line through the logarithms of its"
    " sizes, fitted for each seed by itself. R² is 1 where all sizes lie on the line. The law holds for the sizes that"
    " were measured, on this text and with this training; nothing says how far it goes on."
)


def law_of(line: Mapping[str, Any]) -> PowerLaw:
    """The law of a line in a reference file."""
    interval = line["interval"]
    return PowerLaw(line["constant"], line["exponent"], interval and (interval[0], interval[1]), line["straightness"])


def rows(fit: Mapping[str, Any]) -> list[list[str]]:
    """The laws of a fit in a reference file, a row each below `HEADS`."""
    laws = [(line["name"], law_of(line)) for line in fit["lines"]]
    return [
        [f"`{name}`", f"{law.constant:.4g}", str(law), signed(-law.tenfold, ".1%"), f"{law.straightness:.3f}"]
        for name, law in laws
    ]
