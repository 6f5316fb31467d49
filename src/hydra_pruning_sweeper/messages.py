"""Parts of messages: durations, counts, lines that fit the terminal, names that the user may have meant, text from
outside made safe to print."""

import difflib
import itertools
import re
import shutil
import textwrap
from collections.abc import Iterable, Sequence

LABEL = 12
"""Columns that a label takes, with the spaces after it, in lines such as `model       gru`."""


def duration(seconds: float) -> str:
    """A duration: "42 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 1 else "a second"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def ago(seconds: float) -> str:
    """How long ago something was, in one unit: "42 s ago", "3 min ago", "30 h ago", "12 days ago"."""
    for unit, size, limit in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 48 * 3600)):
        if seconds < limit:
            return f"{max(0, int(seconds // size))} {unit} ago"
    return f"{int(seconds // 86400)} days ago"


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 trial", "2 trials", "1,000 trials"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def true_minus(text: str) -> str:
    """The text of a number with the true minus sign, "−": after a hyphen a line may end."""
    return text.replace("-", "−")


def signed(value: float, form: str) -> str:
    """A difference with its sign: "+1.50", "−0.25" in the format ".2f"."""
    return true_minus(format(value, f"+{form}"))


def wrapped(text: str, indent: int = 0) -> str:
    """Text in lines that are no wider than the terminal, or than 80 columns where there is none.

    It is broken between words only, so a path that is longer has a line of its own; not in what is `unbroken`.

    Args:
        indent: spaces before all lines but the first.
    """
    lines = textwrap.fill(
        text,
        shutil.get_terminal_size().columns,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace(_UNBROKEN, " ")


def unbroken(text: str) -> str:
    """A part of a text that `wrapped` is to leave in one line, such as a number with its unit."""
    return text.replace(" ", _UNBROKEN)


_UNBROKEN = "\0"


def labelled(label: str, text: str) -> str:
    """A label, and beside it the text, whose lines fit the terminal."""
    return wrapped(f"{label:<{LABEL}}{text}", indent=LABEL)


def error_lines(text: str, label: str = "error") -> str:
    """An error as it is printed: its lines fit the terminal, and settings stay in one line with their command."""
    joined = _TYPED.sub(lambda match: unbroken(match[0]), text)
    return wrapped(f"{label}:{_UNBROKEN}{joined}", indent=_error_indent(label))  # a long path, too, begins beside it


def error_in(lines: Sequence[str]) -> str | None:
    """The last error of a printed text, in one line again; None if the text has none (see `error_lines`)."""
    starts = [index for index, line in enumerate(lines) if line.startswith("error: ")]
    if not starts:
        return None
    indent = " " * _error_indent("error")
    after = itertools.takewhile(lambda line: line.startswith(indent), lines[starts[-1] + 1 :])
    return " ".join([lines[starts[-1]], *map(str.strip, after)]).removeprefix("error: ")


def _error_indent(label: str) -> int:
    return len(f"{label}: ")


_TYPED = re.compile(r"[\w.-]+(?: -m)?(?: \+*[\w.@/]+=\S+)+")
"""A word with settings after it: a command to be copied."""


def either(words: Iterable[str]) -> str:
    """Words as alternatives: "a, b or c"."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def did_you_mean(name: str, known: Iterable[str], before: str = "", after: str = "") -> str:
    """The end of a sentence, "; did you mean …?", with the known name that is most similar to `name`; "" if none is.

    Args:
        before, after: what is written around that name.
    """
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {before}{nearest[0]}{after}?" if nearest else ""


def printable(text: str) -> str:
    r"""Text from outside as one line that is safe to print: characters that control a terminal are escaped, as `\x1b`.

    That is every control character (line ends and tabs too), unpaired surrogates, and the characters that reverse the
    direction of the text around them (Unicode Standard Annex 9, section 2). Pass text of several lines line by line.
    """
    return _CONTROL.sub(_escaped, text)


def isolated(text: str) -> str:
    """Printable text that is written from right to left, in a direction of its own, so that what is around it stays in
    order (Unicode Standard Annex 9: FIRST STRONG ISOLATE, POP DIRECTIONAL ISOLATE); any other text as it is.
    """
    return f"\u2068{text}\u2069" if _RIGHT_TO_LEFT.search(text) else text


_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
"""Characters of Hebrew, Arabic, Syriac and other scripts that are written from right to left."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return _SHORT.get(match[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
