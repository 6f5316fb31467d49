"""Files of rows: lines separated by tabs, CSV, JSON lines, Parquet, and what Anki exports, plain or compressed."""

from __future__ import annotations

import csv
import lzma
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from seqlab.errors import InputError
from seqlab.extras import not_installed
from seqlab.text.anki_export import column_names, exported, is_export
from seqlab.text.lines import (
    ADVICE,
    COMPRESSED,
    LARGEST,
    PIECE,
    file_pieces,
    largest_unpacked,
    lines_of,
    open_file,
    read_at_most,
    read_bytes,
    unpacked,
)
from seqlab.text.plain_json import parsed

PARQUET = b"PAR1"
"""How a Parquet file begins and ends."""
ENDINGS = (".txt", ".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".parquet", ".zip")
"""Endings of files of rows; those of compressed ones have another behind it."""
HEAD = 20
"""Rows from which the format of a file is guessed."""
UNLIMITED = 1 << 30
"""The most columns of notes that Anki exported, which may differ in their number."""
Record = tuple[int, list[str]]
"""A row of a text file with the number of its last line."""
Lines = Callable[[], Iterator[str]]
"""Begins to read the lines of a file."""
Pieces = Callable[[], Iterator[bytes]]
"""Begins to read the bytes of a file."""


class RowFile(ABC):
    """The rows of a file.

    Attributes:
        name: the file, as messages name it.
        names: the columns' names; None for a text file as long as its first row has not been taken for names.
    """

    def __init__(self, name: str, names: list[str] | None = None) -> None:
        self.name, self.names = name, names

    @abstractmethod
    def rows(self, columns: Sequence[int]) -> Iterator[tuple[str, list[Any]]]:
        """The values of some columns (numbers from 0), row by row, each with its place, "FILE:LINE".

        Raises:
            InputError: a row is not as the others are; the message names its place.
        """


class TextRows(RowFile):
    """Rows of a text file.

    Args:
        records: reads all rows.
        one_column: what is wrong with a row of one column.
        most: how many columns a row may have at most; None: all have as many as the first.
        expected: what is expected of a row that has more.
    """

    def __init__(
        self,
        name: str,
        records: Callable[[], Iterator[Record]],
        one_column: str,
        names: list[str] | None = None,
        most: int | None = None,
        expected: str = "",
    ) -> None:
        super().__init__(name, names)
        self._records, self._one_column, self._most, self._expected = records, one_column, most, expected
        self._begins = 0

    def head(self) -> list[list[str]]:
        """The first rows."""
        return [fields for _, fields in islice(self._records(), HEAD)]

    def take_names(self) -> list[str]:
        """Takes the first row for the names of the columns, and gives them."""
        self._begins = 1
        self.names = [field.strip() for field in self.head()[0]]
        return self.names

    def rows(self, columns: Sequence[int]) -> Iterator[tuple[str, list[Any]]]:
        needed, first, width = max(columns) + 1, 0, 0
        for i, (number, fields) in enumerate(self._records()):
            where, found = f"{self.name}:{number}", len(fields)
            if i == 0:
                first, width = number, found
            if found < 2:
                raise InputError(f"{where}: {self._one_column}")
            if self._most is None and found != width:
                raise InputError(f"{where}: {found} columns, but line {first} has {width}")
            if self._most is not None and found > self._most:
                raise InputError(f"{where}: {found} columns; expected {self._expected}")
            if found < needed:
                raise InputError(f"{where}: no column {needed}; there are {found}")
            if i >= self._begins:
                yield where, [fields[column] for column in columns]


class JsonLines(RowFile):
    """One JSON object per line. The columns are the keys of the first one; inner objects have names with dots."""

    def __init__(self, name: str, lines: Lines) -> None:
        super().__init__(name)
        self._lines = lines
        self.names = list(self._object(1, next(lines())))

    def _object(self, number: int, line: str) -> dict[str, Any]:
        try:
            return dict(flattened(parsed(line.encode(), dict)))
        except ValueError as error:
            whole = number == 1 and line.lstrip().startswith("[")
            hint = "; expected one JSON object per line" + (", not one array of all" if whole else "")
            raise InputError(f"{self.name}:{number}: {error}{hint}") from None

    def rows(self, columns: Sequence[int]) -> Iterator[tuple[str, list[Any]]]:
        assert self.names is not None
        chosen = [self.names[column] for column in columns]
        for number, line in enumerate(self._lines(), 1):
            where, row = f"{self.name}:{number}", self._object(number, line)
            for name in chosen:
                if name not in row:
                    raise InputError(f"{where}: {no_column(name, list(row))}")
            yield where, [row[name] for name in chosen]


class Parquet(RowFile):
    """A Parquet file; the fields of a structure have names with dots.

    Raises:
        InputError: it is none, or pyarrow is not installed.
    """

    def __init__(self, name: str, file: Path | BinaryIO) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ModuleNotFoundError as error:
            raise not_installed(error, f"reading {Path(name).name}") or error from None
        try:
            self._file = pyarrow.parquet.ParquetFile(file)
        except (pyarrow.ArrowException, OSError) as error:
            reason = " ".join(str(error).split("\n")[0].split())
            raise InputError(f"{name}: not a readable Parquet file ({reason[:200]})") from None
        # A leaf of the schema that is repeated (a list) is no column of texts.
        leaves = (self._file.schema.column(i) for i in range(len(self._file.schema)))
        super().__init__(name, [leaf.path for leaf in leaves if not leaf.max_repetition_level])

    def rows(self, columns: Sequence[int]) -> Iterator[tuple[str, list[Any]]]:
        import pyarrow

        assert self.names is not None
        chosen = [self.names[column] for column in columns]
        number = 0
        try:
            for batch in self._file.iter_batches(columns=list(dict.fromkeys(chosen))):
                for row in batch.to_pylist():
                    number += 1
                    values = dict(flattened(row))
                    yield f"{self.name}: row {number}", [values.get(name) for name in chosen]
        except (pyarrow.ArrowException, OSError) as error:
            reason = " ".join(str(error).split("\n")[0].split())
            raise InputError(f"{self.name}: row {number + 1}: cannot be read ({reason[:200]})") from None


def read_rows(path: Path) -> RowFile:
    """The rows of a file, whose format its name tells; any other file is taken for lines of columns with tabs between.

    Rows are read as they are asked for, each time anew, so that files may be larger than memory (but for Parquet that
    is compressed as a whole, and zip).

    Raises:
        InputError: the file is missing, empty, damaged, binary or not UTF-8.
    """
    pieces, name = _contents(path)
    ending = _ending(path)
    begins = next(iter(pieces()), b"")
    if ending == ".parquet" or begins.startswith(PARQUET):
        return Parquet(name, path if _is_plain(path) else BytesIO(_whole(pieces, name)))
    lines = _lines(pieces, name)
    if ending in (".jsonl", ".ndjson", ".json"):
        return JsonLines(name, lines)
    if is_export(next(lines())):
        return _exported(lines, name)
    if ending == ".csv" and (delimiter := _delimiter(lines)) != "\t":
        what = "semicolons" if delimiter == ";" else "commas"
        reason = f"a single column; expected a source and a target with {what} between"
        return TextRows(name, lambda: _csv(lines(), name, delimiter), reason)
    return TextRows(name, lambda: _tabs(lines()), "no tab in the line; expected source<TAB>target")


def read_deck(path: Path) -> TextRows:
    """The rows of a deck for Anki: `source<TAB>target[<TAB>attribution]`, or notes that Anki itself exported.

    Raises:
        InputError: as `read_rows`.
    """
    pieces, name = _contents(path)
    lines = _lines(pieces, name)
    if is_export(next(lines())):
        return _exported(lines, name)
    expected = "source<TAB>target[<TAB>attribution]"
    one = "no tab in the line; expected source<TAB>target"
    return TextRows(name, lambda: _tabs(lines()), one, most=3, expected=expected)


def is_row_file(path: Path) -> bool:
    """Whether a file's name is that of a file of rows."""
    return _ending(path) in ENDINGS


def no_column(name: str, names: Sequence[str]) -> str:
    """What is wrong with a file that has not the column that is to be read."""
    shown = ", ".join(map(repr, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f"no column {name!r}; there {'is' if len(names) == 1 else 'are'} {shown or 'none'}"


def flattened(row: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a row by name; those of inner objects have names with dots."""
    for key, value in row.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _ending(path: Path) -> str:
    """The ending of a file's name, without that of a compression."""
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return inner.suffix.lower()


def _contents(path: Path) -> tuple[Pieces, str]:
    """The unpacked content of a file, piece by piece, and the name of what it is."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a file of sentence pairs")
    with open_file(path) as file:
        is_zip = path.suffix.lower() == ".zip" or zipfile.is_zipfile(file)
    if not is_zip:
        return lambda: file_pieces(path), str(path)
    member, inner = _unzip(read_bytes(path), str(path))
    name = f"{path}!{inner}"
    data = unpacked(member, name)
    return lambda: (data[start : start + PIECE] for start in range(0, len(data), PIECE)), name


def _is_plain(path: Path) -> bool:
    with open_file(path) as file:
        return file.read(len(PARQUET)) == PARQUET


def _whole(pieces: Pieces, name: str) -> bytes:
    """All of a content, of which there may be as much as fits in memory."""
    parts = pieces()
    return read_at_most(lambda _: next(parts, b""), LARGEST, name, ADVICE)


def _lines(pieces: Pieces, name: str) -> Lines:
    """The lines of a text, without blank ones at the end."""

    def lines() -> Iterator[str]:
        blank: list[str] = []
        for line in lines_of(pieces, name):
            if not line or line.isspace():
                blank.append(line)
                continue
            if blank:
                yield from blank
                blank = []
            yield line

    return lines


def _tabs(lines: Iterable[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        yield number, line.split("\t")


def _exported(lines: Lines, name: str) -> TextRows:
    one = "a single field; expected a source and a target"
    return TextRows(name, lambda: exported(lines(), name), one, column_names(lines(), name), most=UNLIMITED)


def _csv(lines: Iterable[str], name: str, delimiter: str) -> Iterator[Record]:
    rows = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    begins = 1
    try:
        for fields in rows:
            yield rows.line_num, fields
            begins = rows.line_num + 1
    except csv.Error as error:
        raise InputError(f"{name}:{begins}: not CSV ({error}, in the row that begins here)") from None


def _delimiter(lines: Lines) -> str:
    """The first delimiter that gives all of the first rows the same number of columns, more than one."""
    readings: dict[str, Callable[[], Iterator[Record]]] = {
        ",": lambda: _csv(lines(), "", ","),
        ";": lambda: _csv(lines(), "", ";"),
        "\t": lambda: _tabs(lines()),
    }
    for delimiter, records in readings.items():
        try:
            widths = {len(fields) for _, fields in islice(records(), HEAD)}
        except InputError:
            continue
        if len(widths) == 1 and widths != {1}:
            return delimiter
    return ","


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
