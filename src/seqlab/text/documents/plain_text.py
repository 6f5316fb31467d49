"""Reads plain text and Markdown as they are, in any encoding."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from seqlab.text.documents.content import check_is_text
from seqlab.text.documents.unreadable import UnreadableError

PIECE = 1 << 20  # bytes read at once
# The longer mark first: UTF-32's begins with UTF-16's.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_plain(path: Path) -> Iterator[str]:
    """The text in pieces, so that a file of any size takes little memory. Line ends stay as they are.

    The encoding is that of the byte-order mark, else UTF-8 if the file is valid UTF-8, else charset-normalizer's guess.

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
    return "utf-8" if b"\0" not in start and _is_utf8(path) else _guess(start)


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in _pieces(path):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _guess(start: bytes) -> str:
    from charset_normalizer import from_bytes

    candidates = from_bytes(start)
    best = candidates.best()
    if best is None:
        raise UnreadableError("binary, or text in no known encoding")
    if b"\0" in start and not best.encoding.startswith(("utf_16", "utf_32")):
        raise UnreadableError("binary (holds NUL bytes)")
    # In a tie charset-normalizer prefers Central European encodings to Western European ones: è becomes č.
    western = any(match.encoding == "cp1252" and match.chaos <= best.chaos for match in candidates)
    return "cp1252" if western else best.encoding
