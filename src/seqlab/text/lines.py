"""Reads lines of text; an error names the file, the line and what was expected."""

import bz2
import codecs
import gzip
import logging
import lzma
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from seqlab.errors import InputError
from seqlab.extras import not_installed

log = logging.getLogger(__name__)
COMPRESSED = {".gz": "gzip", ".xz": "xz", ".zst": "zstd", ".bz2": "bzip2"}
"""Compressions by the ending of a file's name. Files are recognised by their first bytes, not by their names."""
_FIRST_BYTES = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "bzip2": re.compile(rb"BZh[1-9]1AY&SY"),
}
_ZSTD_STEP = 1 << 10
"""Bytes given to zstd at once: they unpack to 32 MiB at most, so a file that unpacks to too much is noticed early."""
PIECE = 1 << 20  # bytes read at once
LARGEST = 1 << 30  # bytes; limit on standard input and on what a packed file unpacks to; plain files have no limit
LARGEST_RATIO = 100  # of unpacked to packed size; text stays below 10
ALWAYS_FINE = 1 << 24  # bytes that a packed file may unpack to, whatever the ratio
ADVICE = "; if that is right, unpack it first"
LINE = 64  # bytes of overhead of each line in Python; it matters for millions of short lines
# The longer mark first: UTF-32's begins with UTF-16's.
OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
EMPTY = "the file is empty; expected lines of text"
_LONE_RETURN = re.compile(r"\r(?!\n)")


def decode_text(data: bytes, name: str, first: int = 1) -> str:
    """The text of `data`, UTF-8 with or without a byte-order mark; line ends stay as they are.

    Args:
        first: the number of the first line of `data`; only line 1 may begin with a byte-order mark.

    Raises:
        InputError: `data` is empty, binary (holds a NUL byte) or not UTF-8; the message gives `name` and the line.
    """
    if first == 1:
        data = data.removeprefix(codecs.BOM_UTF8)
        if not data:
            raise InputError(f"{name}: {EMPTY}")
        for mark, encoding in OTHER_MARKS.items():
            if data.startswith(mark):
                raise InputError(f"{name}:1: {encoding}, by its byte-order mark; save the file as UTF-8")
    if (position := data.find(b"\0")) >= 0:
        raise InputError(f"{name}:{first - 1 + _line(data, position)}: binary data; expected UTF-8 text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = f"{name}:{first - 1 + _line(data, error.start)}"
        raise InputError(f"{line}: not UTF-8 (byte {data[error.start]:#04x}); save the file as UTF-8") from None


def decode_lines(data: bytes, name: str, blank: bool = False) -> list[str]:
    """The lines of `data`, decoded by `decode_text`. Lines end in LF or CRLF, or all of them in CR.

    Args:
        blank: accept a file with nothing but white space.

    Raises:
        InputError: as `decode_text`, or there is nothing but white space and `blank` is false.
    """
    text = decode_text(data, name)
    if not blank and not text.strip():
        raise InputError(f"{name}: {EMPTY}")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    elif lone := _LONE_RETURN.search(text):
        _warn_of_return(name, text.count("\n", 0, lone.start()) + 1)
    # str.splitlines would also split at U+2028 and at form feeds inside a sentence.
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def arriving_lines(name: str) -> Iterator[str]:
    """The lines of standard input, each as soon as it has arrived. Line feeds end them, after a carriage return or not.

    Raises:
        InputError: as `decode_text`, or a line takes more than `LARGEST` bytes.
    """
    number, warned = 0, False
    while data := sys.stdin.buffer.readline(LARGEST):
        number += 1
        if len(data) == LARGEST:
            raise InputError(f"{name}:{number}: the line takes more than {LARGEST:,} bytes")
        line = decode_text(data, name, number).removesuffix("\n").removesuffix("\r")
        if "\r" in line and not warned:
            warned = True
            _warn_of_return(name, number)
        yield line
    if not number:
        raise InputError(f"{name}: {EMPTY}")


def _warn_of_return(name: str, line: int) -> None:
    log.warning("%s:%d: a carriage return inside the line; in this file only line feeds end lines", name, line)


def _line(data: bytes, position: int) -> int:
    return data.count(b"\n" if b"\n" in data else b"\r", 0, position) + 1


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: the file does not exist, cannot be read, or may never end (a device, a pipe).
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise InputError(f"{path}: a device or a pipe; expected an ordinary file")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def standard_input() -> bytes:
    """All of standard input.

    Raises:
        InputError: there is more than `LARGEST` bytes of it.
    """
    return read_at_most(sys.stdin.buffer.read, LARGEST, "standard input", "")


def largest_unpacked(packed: int) -> int:
    """How many bytes a file of `packed` bytes may unpack to."""
    return max(ALWAYS_FINE, min(LARGEST, LARGEST_RATIO * packed))


def unpacked(data: bytes, name: str) -> bytes:
    """The content of a file compressed by gzip, xz, zstd or bzip2; `data` itself if it is not compressed.

    Raises:
        InputError: it is damaged or ends early, or unpacks to more than `largest_unpacked` bytes; or the library for
            zstd is not installed.
    """
    kind = next((kind for kind, begins in _FIRST_BYTES.items() if begins.match(data)), None)
    if kind is None:
        return data
    opens: dict[str, Callable[[BytesIO], Any]] = {"gzip": gzip.open, "xz": lzma.open, "bzip2": bz2.open}
    try:
        if kind == "zstd":
            pieces = _zstd_pieces(data, name)
            return read_at_most(lambda _: next(pieces, b""), largest_unpacked(len(data)), name, ADVICE)
        with opens[kind](BytesIO(data)) as file:
            return read_at_most(file.read, largest_unpacked(len(data)), name, ADVICE)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{name}: not a readable {kind} file ({error})") from None


def _zstd_pieces(data: bytes, name: str) -> Iterator[bytes]:
    """The unpacked content of a zstd file, which may have several frames, none of it empty."""
    try:
        import zstandard
    except ModuleNotFoundError as error:
        raise not_installed(error, f"reading {Path(name).name}") or error from None
    position, frame = 0, None  # the frame that is being unpacked
    while position < len(data):
        frame = frame or zstandard.ZstdDecompressor().decompressobj()
        try:
            piece = frame.decompress(data[position : position + _ZSTD_STEP])
        except zstandard.ZstdError as error:
            raise OSError(error) from None
        position = min(position + _ZSTD_STEP, len(data))
        if frame.eof:
            position -= len(frame.unused_data)
            frame = None
        if piece:
            yield piece
    if frame is not None:
        raise EOFError("the file ends before the data does")


def read_at_most(read: Callable[[int], bytes], limit: int, name: str, advice: str) -> bytes:
    """Reads piece by piece with `read(size)` until nothing is left.

    Raises:
        InputError: it takes more than `limit` bytes, with `LINE` bytes for each line; the message ends with `advice`.
    """
    content, lines = BytesIO(), 0
    while piece := read(PIECE):
        content.write(piece)
        lines += piece.count(b"\n")
        if content.tell() + LINE * lines > limit:
            raise InputError(f"{name}: takes more than {limit:,} bytes of memory{advice}")
    return content.getvalue()


def read_text_lines(path: Path, blank: bool = False) -> list[str]:
    """The lines of a text file, plain or compressed.

    Raises:
        InputError: as `read_bytes`, `unpacked` and `decode_lines`.
    """
    return decode_lines(unpacked(read_bytes(path), str(path)), str(path), blank)
