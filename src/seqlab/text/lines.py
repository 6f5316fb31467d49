"""Reading lines of text so that a bad file is named with its line and what was expected."""

import codecs
import gzip
import os
import stat
import zlib
from pathlib import Path

from seqlab.errors import InputError

GZIP = b"\x1f\x8b"


def decode_lines(data: bytes, name: str) -> list[str]:
    """The lines of `data`, UTF-8 with or without a byte-order mark, LF or CRLF.

    Raises:
        InputError: `data` is empty, binary (holds a NUL byte) or not UTF-8; the message gives `name` and the line.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    if not data.strip():
        raise InputError(f"{name}: the file is empty; expected lines of text")
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise InputError(f"{name}:{line}: binary data; expected UTF-8 text")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{name}:{line}: not UTF-8 (byte {data[error.start]:#04x}); save the file as UTF-8") from None
    # Only LF and CRLF end a line: str.splitlines would also cut at U+2028 and at form feeds inside a sentence.
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: there is no such file, it cannot be read, or it is a device, which may never end (no terminal).
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not file.isatty()):
                raise InputError(f"{path}: a device; expected a file")
            return file.read()
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def read_text_lines(path: Path) -> list[str]:
    """The lines of a text file, plain or gzip-compressed (told by its first bytes, not by its name).

    Raises:
        InputError: as `read_bytes` and `decode_lines`, or a damaged gzip file.
    """
    data = read_bytes(path)
    if data.startswith(GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: not a readable gzip file ({error})") from None
    return decode_lines(data, str(path))
