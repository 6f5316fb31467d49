"""seqlab: understand, compare and tune sequence-to-sequence models."""

import importlib
from typing import TYPE_CHECKING, Any

from seqlab.interrupts import stop_imports
from seqlab.version import __version__ as __version__

stop_imports()

if TYPE_CHECKING:
    from seqlab.inference.bundle import load as load
    from seqlab.sweep import from_python as sweep
    from seqlab.train import from_python as train

__all__ = ["__version__", "load", "sweep", "train"]


def __getattr__(name: str) -> Any:
    # `load` needs torch; importing seqlab must not, so that command lines answer at once.
    if name == "load":
        from seqlab.inference.bundle import load

        return load
    if name in ("train", "sweep"):  # the modules of these commands, which can be called
        return importlib.import_module(f"seqlab.{name}")
    raise AttributeError(f"module 'seqlab' has no attribute {name!r}")
