"""Normalisation steps before a text is tokenized, the same for training texts and for texts at inference.

A dataset names the steps that its texts go through, its tokenizers keep these names, and all other texts (a prompt, a
line to predict for) go through the same steps. Each step is idempotent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from seqlab.errors import InputError

Form = tuple[str, ...]
"""Names of steps, in order; an empty form leaves a text as it is."""

SOFT_HYPHEN = "\N{SOFT HYPHEN}"
BYTE_ORDER_MARK = "\ufeff"
LONGEST_JOINED = 1 << 16  # characters; maximal length of lines that are joined at soft hyphens


def _translation() -> dict[int, str]:
    table = dict.fromkeys(set(range(32)) - set(map(ord, "\t\n")) | set(range(127, 160)), "")  # control characters
    table |= dict.fromkeys(map(ord, "\v\f\x85\u2028\u2029"), "\n")
    table |= dict.fromkeys(map(ord, "\u200b\u2060\ufeff"), "")  # zero width
    table |= dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
    return table | {i: unicodedata.normalize("NFKC", chr(i)) for i in range(0xFB00, 0xFB07)}  # ligatures such as fi


_TRANSLATION = _translation()
_MARKS = dict.fromkeys([ord(BYTE_ORDER_MARK), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Byte-order marks, which end up inside a text where files were concatenated, and marks of the direction of writing: to
a tokenizer they would be words, or parts of words, that nobody sees.
"""
_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def normalised(lines: Iterable[str]) -> Iterator[str]:
    """Composed characters (NFC), plain spaces, LF line ends, no invisible characters, words joined at soft hyphens."""
    begun: list[str] = []
    size, end = 0, ""
    for line in lines:
        text = line.replace("\r\n", "\n").replace("\r", "\n").translate(_TRANSLATION)
        if (word := text.rstrip()).endswith(SOFT_HYPHEN) and size < LONGEST_JOINED:
            begun.append(word.removesuffix(SOFT_HYPHEN))
            size, end = size + len(begun[-1]), text[len(word) :]
            continue
        yield from _evened("".join([*begun, text]))
        begun, size, end = [], 0, ""
    yield from _evened("".join(begun) + end)


def _evened(text: str) -> Iterator[str]:
    text = unicodedata.normalize("NFC", text.replace(SOFT_HYPHEN, ""))
    for part in text.splitlines(keepends=True):
        yield part.rstrip(" \t\n") + "\n" * part.endswith("\n")


def _composed(text: str) -> str:
    """NFC, without byte-order marks and marks of direction."""
    return unicodedata.normalize("NFC", text.translate(_MARKS))


def _compatible(text: str) -> str:
    """NFKC, which also makes wide, narrow and ligated forms of a character the plain one: "ｶﾞ" "ガ", and "ﬁ" "fi"."""
    return unicodedata.normalize("NFKC", text.translate(_MARKS))


def _lower_turkish(text: str) -> str:
    """Lower-cased as in Turkish and Azeri, where I belongs to ı, and İ to i."""
    return text.replace("İ", "i").replace("I", "ı").lower()


def _normalised(text: str) -> str:
    """As `normalised`, but spaces at the very end stay, because a prompt is continued there."""
    plain = text.translate(_TRANSLATION)
    return "".join(normalised(_LINES.findall(text))) + plain[len(plain.rstrip(" \t")) :]


def _single_spaces(text: str) -> str:
    """Runs of white space become single spaces; none is left at the beginning, one at the end stays."""
    return " ".join(text.split()) + " " * (text != text.rstrip() and not text.isspace())


STEPS: dict[str, Callable[[str], str]] = {
    "composed": _composed,
    "compatible": _compatible,
    "lower_turkish": _lower_turkish,
    "stripped": str.strip,
    "normalised": _normalised,
    "single_spaces": _single_spaces,
}
PAIRS: Form = ("composed", "stripped")
"""The form of a source or a target of text pairs, if nothing else is chosen."""


def pair_form(normalisation: str = "NFC", lower_turkish: bool = False) -> Form:
    """The form of one side of text pairs.

    Args:
        normalisation: "NFC" or "NFKC".
    """
    composed = {"NFC": "composed", "NFKC": "compatible"}[normalisation]
    return (composed, "lower_turkish", "stripped") if lower_turkish else (composed, "stripped")


def formed(text: str, form: Form) -> str:
    """`text` after the steps of `form`."""
    for step in form:
        text = STEPS[step](text)
    return text


def checked(names: Iterable[str]) -> Form:
    """A form that was read from a file.

    Raises:
        InputError: it names an unknown step.
    """
    form = tuple(names)
    for name in form:
        if name not in STEPS:
            raise InputError(f"a tokenizer's form has the step {name!r}; known are {', '.join(STEPS)}")
    return form
