"""Reads plain text and Markdown as they are, in any encoding."""

import codecs
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from seqlab.text.documents.content import check_is_text
from seqlab.text.documents.unreadable import UnreadableError

PIECE = 1 << 20  # bytes read at once
REPLACEMENT = "\ufffd"  # stands where bytes are no text
# The longer mark first: UTF-32's begins with UTF-16's.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Text in these has NUL bytes, in its line ends if nowhere else; other text has none.
WIDE = ["utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le"]


def read_plain(path: Path) -> Iterator[str]:
    """The text in pieces, so that a file of any size takes little memory. Line ends stay as they are.

    The encoding is that of the byte-order mark, else UTF-8 if the file is valid UTF-8 but for a few bytes, else
    charset-normalizer's guess. Bytes that are no text in it become `REPLACEMENT`.

    Raises:
        UnreadableError: it is binary, or its encoding cannot be recognised.
    """
    encoding = _encoding(path)
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for piece in _pieces(path):
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _encoding(path: Path) -> str:
    start = next(_pieces(path), b"")
    check_is_text(start)
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            return encoding
    if b"\0" in start:
        return _guess(start)
    return "utf-8" if _is_utf8(path) or _is_nearly_utf8(path) else _guess(_telling_lines(path))


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in _pieces(path):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_nearly_utf8(path: Path) -> bool:
    """Whether most of what is beyond ASCII is valid UTF-8, as in a file with a few damaged bytes: text in another
    encoding hardly ever is.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    valid = damaged = 0
    for piece in chain(_pieces(path), [b""]):
        text = decoder.decode(piece, final=not piece)
        wrong = text.count(REPLACEMENT)
        valid += len(text) - len(text.encode("ascii", "ignore")) - wrong
        damaged += wrong
    return valid > damaged


def _telling_lines(path: Path) -> bytes:
    """The first lines with bytes beyond ASCII, wherever they are: others tell nothing of the encoding."""
    lines: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        while size < PIECE and (line := file.readline(PIECE)):
            if not line.isascii():
                lines.append(line)
                size += len(line)
    return b"".join(lines)


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    has_nul = b"\0" in sample
    candidates = from_bytes(sample, cp_exclusion=None if has_nul else WIDE)
    best = candidates.best()
    if best is None:
        raise UnreadableError("binary, or text in no known encoding")
    if has_nul and best.encoding not in WIDE:
        raise UnreadableError("binary (holds NUL bytes)")
    # In a tie charset-normalizer prefers Central European encodings to Western European ones: è becomes č.
    western = any("cp1252" in match.could_be_from_charset and match.chaos <= best.chaos for match in candidates)
    return "cp1252" if western else best.encoding
