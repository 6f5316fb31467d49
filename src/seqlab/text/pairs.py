"""Sentence pairs in the format of the Anki decks: `source<TAB>target[<TAB>attribution]`, one pair a line."""

import lzma
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

from seqlab.errors import InputError
from seqlab.text.lines import decode_lines, read_bytes

LARGEST_MEMBER = 1 << 30  # bytes; the largest published deck unpacks to about 60 MB
LARGEST_RATIO = 200  # unpacked to packed; real decks stay below 5


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and its translation, both in Unicode's NFC."""

    source: str
    target: str


def read_pairs(path: Path) -> list[Pair]:
    """All pairs of a `.txt` or `.tsv` file, or of the member of a `.zip` that holds them.

    Raises:
        InputError: a file that is missing, empty, binary or not UTF-8, a broken or absurd archive, a line without
            exactly two or three columns, an empty side. The message names the file and the line.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a .txt, .tsv or .zip file of sentence pairs")
    data = read_bytes(path)
    name = str(path)
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(BytesIO(data)):
        data, member = _unzip(data, name)
        name = f"{name}!{member}"
    return [_parse(line, f"{name}:{number}") for number, line in enumerate(decode_lines(data, name), 1)]


def _parse(line: str, where: str) -> Pair:
    columns = unicodedata.normalize("NFC", line).split("\t")
    if len(columns) == 1:
        raise InputError(f"{where}: no tab in the line; expected source<TAB>target")
    if len(columns) > 3:
        raise InputError(f"{where}: {len(columns)} columns; expected source<TAB>target[<TAB>attribution]")
    source, target = columns[0].strip(), columns[1].strip()
    if not source or not target:
        raise InputError(f"{where}: the {'target' if source else 'source'} is empty; expected source<TAB>target")
    return Pair(source, target)


def _unzip(data: bytes, name: str) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            member = _member(archive, name, len(data))
            with archive.open(member) as file:
                # The size in the directory can lie: never unpack more than it promises.
                return file.read(member.file_size), member.filename
    except InputError:
        raise
    # What zipfile lets through of a damaged or encrypted archive.
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OSError) as error:
        raise InputError(f"{name}: not a readable zip file ({error})") from None


def _member(archive: zipfile.ZipFile, name: str, size: int) -> zipfile.ZipInfo:
    """The largest text file that is neither macOS litter nor a note about the deck."""

    def holds_pairs(info: zipfile.ZipInfo) -> bool:
        path = PurePosixPath(info.filename)
        return (
            path.suffix.lower() in (".txt", ".tsv")
            and "__MACOSX" not in path.parts
            and not path.name.startswith(("_", "."))
        )

    members = [info for info in archive.infolist() if holds_pairs(info)]
    if not members:
        raise InputError(f"{name}: no .txt or .tsv file of sentence pairs in the archive")
    member = max(members, key=lambda info: info.file_size)
    packed = min(member.compress_size, size)  # the archive's own word is not trusted further than its length
    if member.file_size > LARGEST_MEMBER or member.file_size > LARGEST_RATIO * max(packed, 1024):
        raise InputError(
            f"{name}: {member.filename} would unpack from {packed:,} to {member.file_size:,} bytes;"
            f" expected at most {LARGEST_MEMBER:,} and at most {LARGEST_RATIO} times the packed size"
        )
    return member
