"""seqlab: understand, compare and tune sequence-to-sequence models."""

from typing import TYPE_CHECKING, Any

from seqlab.interrupts import stop_imports
from seqlab.version import __version__ as __version__

stop_imports()

if TYPE_CHECKING:
    from seqlab.inference.bundle import load as load

__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    # `load` needs torch; importing seqlab must not, so that command lines answer at once.
    if name == "load":
        from seqlab.inference.bundle import load

        return load
    raise AttributeError(f"module 'seqlab' has no attribute {name!r}")
