"""Tatoeba's weekly exports: sentences with their ids, and links between the ids of translations.

https://tatoeba.org/downloads: `fra_sentences.tsv`, `eng_sentences.tsv` and `fra-eng_links.tsv` of two languages,
compressed or not, or `sentences.csv` and `links.csv` of all, which are downloaded as archives and have to be unpacked.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.errors import InputError
from seqlab.text.lines import file_pieces, lines_of
from seqlab.text.row_files import RowFile

log = logging.getLogger(__name__)
_SENTENCES = re.compile(r"(?:([a-z_]+)_)?sentences(?:_detailed)?\.(?:tsv|csv)(?:\.\w+)?")
_LINKS = re.compile(r"(?:([a-z]+)-([a-z]+)_)?links\.(?:tsv|csv)(?:\.\w+)?")
_ARCHIVES = re.compile(r"(?:sentences|sentences_detailed|links)\.tar\.\w+")


@dataclass(frozen=True)
class TatoebaFiles:
    """The files of an export.

    Attributes:
        languages: those of the first and the second column of the links; None: all are in one file.
    """

    links: Path
    sentences: tuple[Path, ...]
    languages: tuple[str, str] | None

    @property
    def all(self) -> list[Path]:
        """All files."""
        return [self.links, *self.sentences]


def tatoeba_files(folder: Path) -> TatoebaFiles | None:
    """The files of an export in a folder; None if there are no links.

    Raises:
        InputError: there are links, but not the sentences that belong to them, or several links; or one of both is
            in an archive.
    """
    names = {file.name: file for file in sorted(folder.iterdir()) if file.is_file()}
    links = [match for match in map(_LINKS.fullmatch, names) if match]
    archives = [name for name in names if _ARCHIVES.fullmatch(name)]
    unpack = f"; unpack the archives first: tar -xf {' and tar -xf '.join(archives)}" if archives else ""
    if not links:
        if any(name.startswith("links") for name in archives):
            raise InputError(f"{folder}: no links.csv{unpack}")
        return None
    if len(links) > 1:
        raise InputError(f"{folder}: several files of links ({', '.join(one[0] for one in links)}); keep one")
    [link] = links
    languages = (link[1], link[2]) if link[1] else None
    by_language = {match[1]: names[match[0]] for match in map(_SENTENCES.fullmatch, names) if match}
    missing = [one for one in languages or (None,) if one not in by_language]
    if missing:
        wanted = ", ".join(f"{one}_sentences.tsv" if one else "sentences.csv" for one in missing)
        raise InputError(f"{folder}: {link[0]} needs {wanted} beside it{unpack}")
    return TatoebaFiles(names[link[0]], tuple(by_language[one] for one in languages or (None,)), languages)


class TatoebaPairs(RowFile):
    """Linked sentences. The columns are languages, by the codes that Tatoeba has; sentences of both are in memory.

    Raises:
        InputError: a line has too few columns, or its ids are none.
    """

    def __init__(self, files: TatoebaFiles) -> None:
        names = list(files.languages) if files.languages else sorted({code for _, _, code, _ in _sentences(files)})
        super().__init__(str(files.links), names)
        self._files = files

    def rows(self, columns: Sequence[int]) -> Iterator[tuple[str, list[Any]]]:
        assert self.names is not None
        codes = [self.names[column] for column in columns]
        texts: dict[str, dict[int, str]] = {code: {} for code in codes}
        for _, number, code, text in _sentences(self._files):
            if code in texts:
                texts[code][number] = text
        source, *targets = (texts[code] for code in codes)
        backward = self._files.languages is not None and codes[0] != self._files.languages[0]
        missing = 0
        for where, (first, second) in _links(self._files.links):
            source_id, target_id = (second, first) if backward else (first, second)
            if source_id in source and any(target_id in target for target in targets):
                yield where, [source[source_id], *(target.get(target_id) for target in targets)]
            missing += self._files.languages is not None and source_id not in source
        if missing:
            log.warning("%s: %d links name sentences that are not there, and are left out", self.name, missing)


def _sentences(files: TatoebaFiles) -> Iterator[tuple[str, int, str, str]]:
    """The place, id, language and text of each sentence."""
    for where, fields in _fields(files.sentences, "id<TAB>language<TAB>text", 3):
        yield where, _number(fields[0], where), fields[1], fields[2]


def _links(file: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    for where, fields in _fields((file,), "id<TAB>id", 2):
        yield where, (_number(fields[0], where), _number(fields[1], where))


def _fields(files: Sequence[Path], expected: str, least: int) -> Iterator[tuple[str, list[str]]]:
    for file in files:
        for number, line in enumerate(lines_of(lambda file=file: file_pieces(file), str(file)), 1):  # type: ignore[misc]
            fields = line.split("\t")
            if len(fields) < least:
                raise InputError(f"{file}:{number}: expected {expected}")
            yield f"{file}:{number}", fields


def _number(field: str, where: str) -> int:
    if not field.isdecimal():
        raise InputError(f"{where}: {field[:20]!r} is no id of a sentence; expected a number")
    return int(field)
