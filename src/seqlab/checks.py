"""Checks of settings, used throughout the package."""

from __future__ import annotations


def check_sizes(**sizes: int | None) -> None:
    """Raises ValueError, with its name and value, for a size below 1; None is not checked."""
    for name, size in sizes.items():
        if size is not None and size < 1:
            raise ValueError(f"{name} must be at least 1, but is {size}")
