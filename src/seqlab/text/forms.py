"""What happens to a text before it becomes tokens: the same wherever the text enters.

A dataset names the steps that its text went through, its tokenizers keep those names, and every other entrance (a
prompt, a line to predict for) takes the same steps. Each step leaves a text alone that went through it before.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from seqlab.errors import InputError

Form = tuple[str, ...]
"""Names of steps, in their order; none leave a text as it is."""

SOFT_HYPHEN = "\N{SOFT HYPHEN}"
BYTE_ORDER_MARK = "\ufeff"
LONGEST_JOINED = 1 << 16  # characters of a line that soft hyphens join; a longer one is cut


def _translation() -> dict[int, str]:
    table = dict.fromkeys(set(range(32)) - set(map(ord, "\t\n")) | set(range(127, 160)), "")  # control characters
    table |= dict.fromkeys(map(ord, "\v\f\x85\u2028\u2029"), "\n")
    table |= dict.fromkeys(map(ord, "\u200b\u2060\ufeff"), "")  # of no width
    table |= dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
    return table | {i: unicodedata.normalize("NFKC", chr(i)) for i in range(0xFB00, 0xFB07)}  # ligatures such as fi


_TRANSLATION = _translation()
_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def normalised(lines: Iterable[str]) -> Iterator[str]:
    """Composed characters (NFC), plain spaces, LF as line end, nothing invisible, words joined at soft hyphens."""
    begun: list[str] = []
    size = 0
    for line in lines:
        text = line.replace("\r\n", "\n").replace("\r", "\n").translate(_TRANSLATION)
        if (word := text.rstrip()).endswith(SOFT_HYPHEN) and size < LONGEST_JOINED:
            begun.append(word.removesuffix(SOFT_HYPHEN))
            size += len(begun[-1])
            continue
        yield from _evened("".join([*begun, text]))
        begun, size = [], 0
    yield from _evened("".join(begun))


def _evened(text: str) -> Iterator[str]:
    text = unicodedata.normalize("NFC", text.replace(SOFT_HYPHEN, ""))
    for part in text.splitlines(keepends=True):
        yield part.rstrip(" \t\n") + "\n" * part.endswith("\n")


def _composed(text: str) -> str:
    """NFC, without byte-order marks: where files were joined, they stand inside."""
    return unicodedata.normalize("NFC", text.replace(BYTE_ORDER_MARK, ""))


def _normalised(text: str) -> str:
    """As `normalised`, but for spaces at the very end: a prompt goes on there."""
    plain = text.translate(_TRANSLATION)
    return "".join(normalised(_LINES.findall(text))) + plain[len(plain.rstrip(" \t")) :]


def _single_spaces(text: str) -> str:
    """No line ends, single spaces, none at the beginning; one at the end stays."""
    return " ".join(text.split()) + " " * (text != text.rstrip() and not text.isspace())


STEPS: dict[str, Callable[[str], str]] = {
    "composed": _composed,
    "stripped": str.strip,
    "normalised": _normalised,
    "single_spaces": _single_spaces,
}
PAIRS: Form = ("composed", "stripped")
"""The form of a source or a target of text pairs."""


def formed(text: str, form: Form) -> str:
    """`text` after the steps of `form`."""
    for step in form:
        text = STEPS[step](text)
    return text


def checked(names: Iterable[str]) -> Form:
    """A form that was read from a file.

    Raises:
        InputError: there is no such step.
    """
    form = tuple(names)
    for name in form:
        if name not in STEPS:
            raise InputError(f"a tokenizer's form has the step {name!r}; known are {', '.join(STEPS)}")
    return form
