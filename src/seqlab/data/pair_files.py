"""Sentence pairs from files of rows: one file, which is split by source, or files for each split."""

from __future__ import annotations

import functools
import glob
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqlab.data.column_pairs import SPLIT_WORDS, ColumnPairs, Tables
from seqlab.errors import InputError
from seqlab.natural_order import natural
from seqlab.paths import matching
from seqlab.text.languages import deck_languages, language_of
from seqlab.text.lines import sha256_of
from seqlab.text.row_files import ENDINGS, is_row_file, read_rows
from seqlab.text.tatoeba import TatoebaFiles, TatoebaPairs, tatoeba_files
from seqlab.text.tokenizers import Fit

log = logging.getLogger(__name__)


class PairFiles(ColumnPairs):
    """Pairs of files of rows: separated by tabs, CSV, JSON lines or Parquet, compressed or not.

    A single file is split by source. Of several files, a word in the name (`train`; `val`, `valid`, `validation` or
    `dev`; `test`) says which split a file belongs to; files without such a word are left out, with a warning, unless
    no file has one: then all together are split by source. A folder with Tatoeba's sentences and links is read as such.

    Args:
        path: a file, a folder of files, or a pattern such as "data/*.csv".

    Raises:
        ValueError: no path, one column without the other, shares or counts out of range.
        InputError: a file is bad (see `read_rows`), no file is for training, or nothing is left to train on.
    """

    def __init__(self, tokenizer: Fit, path: str | Path | None = None, **selection: Any) -> None:
        super().__init__(tokenizer, **selection)
        if path is None:
            raise ValueError("path must name a file, a folder or a pattern of files of sentence pairs, but is null")
        self.path = Path(path)
        self.named_by_file = self.target_language is None
        guessed = self.columns.source is None  # then a deck's name says the order of its columns
        self.named_languages(*(deck_languages(self.path.name) if guessed else self.columns.languages))
        if guessed and self._tatoeba is not None and self._tatoeba.languages:
            self.named_languages(*map(language_of, self._tatoeba.languages))

    def describe(self) -> str:
        return f"pairs of {self.path.name or self.path}"

    def content(self) -> dict[str, Any]:
        if self._tatoeba is not None:
            columns = [self.columns.source, *self.columns.targets]
            return {"sha256": {file.name: sha256_of(file) for file in self._tatoeba.all}, "columns": columns}
        digests = {split: [sha256_of(file) for file in files] for split, files in self._files.items()}
        formats = [file.suffixes[-2:] for files in self._files.values() for file in files]
        return {"sha256": digests, "formats": formats, "columns": [self.columns.source, *self.columns.targets]}

    def tables(self) -> Tables:
        if self._tatoeba is not None:
            return {"train": [functools.partial(TatoebaPairs, self._tatoeba)]}
        return {split: [functools.partial(read_rows, file) for file in files] for split, files in self._files.items()}

    @functools.cached_property
    def _tatoeba(self) -> TatoebaFiles | None:
        """The files of Tatoeba's export, if the folder holds one."""
        return tatoeba_files(self.path) if self.path.is_dir() else None

    @functools.cached_property
    def _files(self) -> dict[str, list[Path]]:
        """The files of each split.

        Raises:
            InputError: there are none, or none of training.
        """
        if self.path.is_dir():
            files = [file for file in self.path.iterdir() if file.is_file() and is_row_file(file)]
        elif glob.has_magic(str(self.path)) and not self.path.exists():
            files = [*matching(self.path)]
        else:
            return {"train": [self.path]}
        if not files:
            raise InputError(f"{self.path}: no files of sentence pairs there ({', '.join(ENDINGS)}, or compressed)")
        return by_split(sorted(files, key=lambda file: natural(str(file))), str(self.path))


def by_split(files: Sequence[Path], where: str) -> dict[str, list[Path]]:
    """The files of each split, by a word in their names.

    Raises:
        InputError: some have such a word, but none is for training.
    """
    splits: dict[str, list[Path]] = {}
    others = []
    for file in files:
        words = re.findall(r"[a-z]+", file.name.lower())
        split = next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)
        if split is None:
            others.append(file)
        else:
            splits.setdefault(split, []).append(file)
    if not splits:
        return {"train": list(files)}
    if "train" not in splits:
        names = ", ".join(file.name for file in files[:8])
        raise InputError(f"{where}: no file for training (train in its name); there are {names}")
    if others:
        names = ", ".join(file.name for file in others[:5])
        log.warning("%s: left out, without train, val or test in the name: %s", where, names)
    return splits
