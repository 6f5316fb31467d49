"""seqlab: understand, compare and tune sequence-to-sequence models."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqlab.training.bundle import load as load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    # `load` needs torch; importing seqlab must not, so that command lines answer at once.
    if name == "load":
        from seqlab.training.bundle import load

        return load
    raise AttributeError(f"module 'seqlab' has no attribute {name!r}")
