"""Sentence pairs in the format of the Anki decks: `source<TAB>target[<TAB>attribution]`, one pair per line."""

import lzma
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

from seqlab.errors import InputError
from seqlab.text.anki_export import exported, is_export
from seqlab.text.forms import PAIRS, formed
from seqlab.text.lines import ADVICE, decode_lines, gunzipped, largest_unpacked, read_at_most, read_bytes


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and its translation, both in Unicode's NFC."""

    source: str
    target: str


def read_pairs(path: Path) -> list[Pair]:
    """All pairs of a `.txt` or `.tsv` file, plain or gzip-compressed, or of such a file in a `.zip`.

    An export of Anki itself (`#separator:` in the first lines) is read, too: the first two fields of each note are
    the pair. Blank lines at the end are ignored.

    Raises:
        InputError: the file is missing, empty, binary or not UTF-8; an archive is broken or unpacks to too much; a
            line does not have two or three columns, or one side is empty. The message names the file and the line.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a .txt, .tsv, .gz or .zip file of sentence pairs")
    data = read_bytes(path)
    name = str(path)
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(BytesIO(data)):
        data, member = _unzip(data, name)
        name = f"{name}!{member}"
    lines = decode_lines(gunzipped(data, name), name)
    while not lines[-1].strip():
        lines.pop()
    if is_export(lines):
        return [_pair(fields, f"{name}:{number}") for number, fields in exported(lines, name)]
    return [_parse(line, f"{name}:{number}") for number, line in enumerate(lines, 1)]


def _parse(line: str, where: str) -> Pair:
    tabs = line.count("\t")
    if not tabs:
        raise InputError(f"{where}: no tab in the line; expected source<TAB>target")
    if tabs > 2:
        raise InputError(f"{where}: {tabs + 1} columns; expected source<TAB>target[<TAB>attribution]")
    return _pair(line.split("\t"), where)


def _pair(columns: Sequence[str], where: str) -> Pair:
    if len(columns) < 2:
        raise InputError(f"{where}: a single field; expected a source and a target")
    source, target = formed(columns[0], PAIRS), formed(columns[1], PAIRS)
    if not source or not target:
        raise InputError(f"{where}: the {'target' if source else 'source'} is empty; expected source<TAB>target")
    return Pair(source, target)


def _unzip(data: bytes, name: str) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            member, limit = _member(archive, name, len(data))
            with archive.open(member) as file:
                return read_at_most(file.read, limit, f"{name}!{member.filename}", ADVICE), member.filename
    except InputError:
        raise
    # All that zipfile may raise on a damaged or encrypted archive.
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OSError) as error:
        raise InputError(f"{name}: not a readable zip file ({error})") from None


def _member(archive: zipfile.ZipFile, name: str, size: int) -> tuple[zipfile.ZipInfo, int]:
    """The one text file with pairs (neither added by macOS nor a note about the deck), and its limit in bytes."""

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
    if len(members) > 1:
        names = ", ".join(info.filename for info in members[:5])
        raise InputError(
            f"{name}: {len(members)} files of sentence pairs in the archive ({names}); unpack the one to use"
        )
    [member] = members
    packed = min(member.compress_size, size)  # the archive may lie about this, but its length is known
    if member.file_size > (limit := largest_unpacked(packed)):
        raise InputError(
            f"{name}: {member.filename} would unpack from {packed:,} to {member.file_size:,} bytes; at most {limit:,}"
            f" are read{ADVICE}"
        )
    return member, limit
