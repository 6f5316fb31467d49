"""Numbers and names as a person says and sorts them."""

import re
import unicodedata


def duration(seconds: float) -> str:
    """A time: "42 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 1 else "a second"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """ "1 trial", "2 trials"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def printable(text: str) -> str:
    """A text on one line, as a terminal may show it: control characters, and marks that reverse or hide text, appear
    as their escapes."""
    return "".join(
        one if one.isprintable() or unicodedata.category(one) == "Zs" else one.encode("unicode_escape").decode()
        for one in text
    )


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts "2" before "10", and "run2" before "run10"."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
