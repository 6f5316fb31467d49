"""Reads lines of text; an error names the file, the line and what was expected."""

import bz2
import codecs
import gzip
import hashlib
import logging
import lzma
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, BinaryIO

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
        data = _unmarked(data, name)
        if not data:
            raise InputError(f"{name}: {EMPTY}")
    return _decoded(data, name, first, b"\n" if b"\n" in data else b"\r")


def decode_lines(data: bytes, name: str, blank: bool = False) -> list[str]:
    """The lines of `data`, as `lines_of` reads them."""
    return list(lines_of(lambda: [data], name, blank))


def lines_of(pieces: Callable[[], Iterable[bytes]], name: str, blank: bool = False) -> Iterator[str]:
    """The lines of a text in UTF-8, with or without a byte-order mark. Lines end in LF or CRLF, or all of them in CR.

    Args:
        pieces: begins to read the text; called twice. A line and a piece are in memory at a time.
        blank: accept a text with nothing but white space.

    Raises:
        InputError: the text is empty (also if there is nothing but white space and `blank` is false), binary (holds a
            NUL byte) or not UTF-8; the message gives `name` and the line.
    """
    end = b"\n" if any(b"\n" in piece for piece in pieces()) else b"\r"
    number, empty, warned = 1, True, False
    for block in _whole_lines(pieces(), end):
        if number == 1:
            block = _unmarked(block, name)
        text = _decoded(block, name, number, end)
        if end == b"\r":
            text = text.replace("\r", "\n")
        elif not warned and (lone := _LONE_RETURN.search(text)):
            warned = True
            _warn_of_return(name, number + text.count("\n", 0, lone.start()))
        empty = empty and not (text if blank else text.strip())
        # str.splitlines would also split at U+2028 and at form feeds inside a sentence.
        lines = text.removesuffix("\n").split("\n") if text else []
        number += len(lines)
        yield from (line.removesuffix("\r") for line in lines) if "\r" in text else lines
    if empty:
        raise InputError(f"{name}: {EMPTY}")


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


def _whole_lines(pieces: Iterable[bytes], end: bytes) -> Iterator[bytes]:
    """The same bytes in pieces that end where lines do."""
    begun: list[bytes] = []
    for piece in pieces:
        cut = piece.rfind(end) + 1
        if cut:
            yield b"".join([*begun, piece[:cut]])
            begun = []
        begun.append(piece[cut:])
    if rest := b"".join(begun):
        yield rest


def _unmarked(data: bytes, name: str) -> bytes:
    """The beginning of a text without a byte-order mark."""
    data = data.removeprefix(codecs.BOM_UTF8)
    for mark, encoding in OTHER_MARKS.items():
        if data.startswith(mark):
            raise InputError(f"{name}:1: {encoding}, by its byte-order mark; save the file as UTF-8")
    return data


def _decoded(data: bytes, name: str, first: int, end: bytes) -> str:
    """Whole lines as text; `first` is the number of the first of them."""
    if (position := data.find(b"\0")) >= 0:
        raise InputError(f"{name}:{first + data.count(end, 0, position)}: binary data; expected UTF-8 text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = f"{name}:{first + data.count(end, 0, error.start)}"
        raise InputError(f"{line}: not UTF-8 (byte {data[error.start]:#04x}); save the file as UTF-8") from None


def open_file(path: Path) -> BufferedReader:
    """An ordinary file, open to read.

    Raises:
        InputError: the file does not exist, cannot be read, or may never end (a device, a pipe).
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise InputError(f"{path}: a device or a pipe; expected an ordinary file")
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: as `open_file`.
    """
    with open_file(path) as file:
        return file.read()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, of which a small part is in memory.

    Raises:
        InputError: as `open_file`.
    """
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
        InputError: it is damaged or ends early, or takes more than `largest_unpacked` bytes of memory; or the library
            for zstd is not installed.
    """
    if _compression(data) is None:
        return data
    pieces = _unpacked_pieces(BytesIO(data), name)
    return read_at_most(lambda _: next(pieces, b""), largest_unpacked(len(data)), name, ADVICE)


def file_pieces(path: Path) -> Iterator[bytes]:
    """The content of a file, plain or compressed, in pieces that fit in memory.

    Raises:
        InputError: as `open_file`; a compressed file is damaged or ends early, or unpacks to more than `LARGEST_RATIO`
            times its size; or the library for zstd is not installed.
    """
    with open_file(path) as file:
        packed = _compression(file.read(16)) is not None
        file.seek(0)
        limit, size = max(ALWAYS_FINE, LARGEST_RATIO * path.stat().st_size), 0
        for piece in _unpacked_pieces(file, str(path)):
            size += len(piece)
            if packed and size > limit:
                raise InputError(f"{path}: takes more than {limit:,} bytes{ADVICE}")
            yield piece


def _compression(data: bytes) -> str | None:
    """How a file is compressed, by its first bytes."""
    return next((kind for kind, begins in _FIRST_BYTES.items() if begins.match(data)), None)


def _unpacked_pieces(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The content of an open file, piece by piece, unpacked if it is compressed."""
    kind = _compression(file.read(16))
    file.seek(0)
    opens: dict[str | None, Callable[[BinaryIO], Any]] = {"gzip": gzip.open, "xz": lzma.open, "bzip2": bz2.open}
    try:
        if kind == "zstd":
            yield from _zstd_pieces(file, name)
        else:
            stream = opens[kind](file) if kind else file
            while piece := stream.read(PIECE):
                yield piece
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        if kind is None:
            raise InputError(f"{name}: {(getattr(error, 'strerror', None) or str(error)).lower()}") from None
        raise InputError(f"{name}: not a readable {kind} file ({error})") from None


def _zstd_pieces(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The unpacked content of a zstd file, which may have several frames, none of it empty."""
    try:
        import zstandard
    except ModuleNotFoundError as error:
        raise not_installed(error, f"reading {Path(name).name}") or error from None
    frame = None  # the frame that is being unpacked
    while packed := file.read(_ZSTD_STEP):
        while packed:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            try:
                piece = frame.decompress(packed)
            except zstandard.ZstdError as error:
                raise OSError(error) from None
            packed = b""
            if frame.eof:
                packed, frame = frame.unused_data, None
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
