"""Sorts names as a person would."""

import re
from pathlib import Path


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts "2" before "10", and "run2" before "run10"."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def natural_path(path: Path) -> list[list[tuple[int, str]]]:
    """A key that sorts paths by each of their parts in this order."""
    return [natural(part) for part in path.parts]
