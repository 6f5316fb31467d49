"""Sorts names as a person would, and escapes fields of TSV files."""

import re


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts "2" before "10", and "run2" before "run10"."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def escaped(text: str) -> str:
    """A field of a TSV file: tab, line ends and backslash as \\t, \\n, \\r, \\\\."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
