"""Recognises what a file is by its first bytes, whatever its name says."""

import zipfile
from pathlib import Path

from seqlab.text.documents.unreadable import UnreadableError

LARGEST_UNPACKED = 1 << 31  # bytes, all members of an archive together
LARGEST_RATIO = 500  # of unpacked to packed size; real documents, mostly XML, stay below 50
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
KINDS = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a zip archive, such as Word and EPUB files are",
    OLE: "an old or encrypted Office file",
    b"{\\rtf": "rich text (RTF)",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"\x1f\x8b": "a gzip archive",
    b"\x7fELF": "a program",
}


def check_is_text(start: bytes) -> None:
    """Raises UnreadableError if a file that begins with `start` is a known format other than text."""
    for magic, kind in KINDS.items():
        if start.startswith(magic):
            raise UnreadableError(f"not text but {kind}")


def check_is_pdf(path: Path) -> None:
    """Raises UnreadableError if a file is not a PDF at all; a damaged PDF passes."""
    with path.open("rb") as file:
        start = file.read(1024)
    if b"%PDF-" not in start:
        raise UnreadableError("not a PDF file")


def check_is_archive(path: Path, kind: str, member: str) -> None:
    """Checks that a file is an intact zip archive with `member` in it, as Word, PowerPoint and EPUB files are.

    Raises:
        UnreadableError: it is something else, encrypted, truncated, or unpacks to too much.
    """
    with path.open("rb") as file:
        start = file.read(len(OLE))
    if start == OLE:
        raise UnreadableError(f"encrypted, or an old Office file and not {kind}")
    if not start.startswith(b"PK"):
        raise UnreadableError(f"not {kind} file")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile:
        raise UnreadableError("truncated or damaged (its directory is missing)") from None
    if member not in {info.filename for info in members}:
        raise UnreadableError(f"not {kind} file ({member} is not in it)")
    unpacked = sum(info.file_size for info in members)
    if unpacked > LARGEST_UNPACKED or unpacked > LARGEST_RATIO * path.stat().st_size:
        raise UnreadableError(f"would unpack to {unpacked:,} bytes")
