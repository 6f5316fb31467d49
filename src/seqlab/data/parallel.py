"""Parallel text: line-aligned files of two languages, one pair of files per split."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.messages import plural
from seqlab.checks import check_sizes
from seqlab.data.text_pairs import TextPairs
from seqlab.errors import InputError
from seqlab.text.forms import PAIRS, formed
from seqlab.text.lines import file_pieces, lines_of, sha256_of
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import Fit

log = logging.getLogger(__name__)


class Parallel(TextPairs):
    """Line-aligned files in a folder: line n of `train.en` is the translation of line n of `train.de`.

    Files may be plain or gzip-compressed (`train.de.gz`). Training pairs with an empty side are dropped, with a
    warning; held-out ones are an error, because a score over fewer sentences cannot be compared with published ones.
    For the same reason every line is evaluated, against its translation in the file only, even if a source appears
    twice.

    Args:
        path: the folder.
        source, target: the languages, which are the suffixes of the files; they are also the languages for BLEU,
            unless `source_language` and `target_language` are set.
        train, val, test: the files' names without the suffix; None for no such split (train is required).
        max_pairs: train on the first `max_pairs` pairs (None: all).
        max_words: drop training pairs with more words (by white space) than this on either side.

    Raises:
        ValueError: a limit below 1.
        InputError: files are missing, unreadable or have different numbers of lines.
    """

    groups_references = False

    def __init__(
        self,
        tokenizer: Fit,
        path: str | Path | None = None,
        source: str = "de",
        target: str = "en",
        train: str = "train",
        val: str | None = "val",
        test: str | None = "test",
        max_pairs: int | None = None,
        max_words: int | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(tokenizer, **loading)
        check_sizes(max_pairs=max_pairs, max_words=max_words)
        if path is None:
            raise ValueError(
                f"path must name a folder of line-aligned files ({train}.{source}, {train}.{target}, …, or .gz),"
                " but is null"
            )
        self.path, self.languages = Path(path), (source, target)
        self.source_language, self.target_language = self.source_language or source, self.target_language or target
        self.names = {"train": train, "val": val, "test": test}
        self.max_pairs, self.max_words = max_pairs, max_words

    def describe(self) -> str:
        return f"{'→'.join(self.languages)} of {self.path.name or self.path}"

    def fingerprint(self) -> dict[str, Any]:
        digests = {
            f"{split}.{side}": sha256_of(file)
            for split, files in self._files().items()
            for side, file in zip(("source", "target"), files, strict=True)
        }
        return {**digests, "max_pairs": self.max_pairs, "max_words": self.max_words}

    def pairs(self) -> dict[str, Iterator[Pair]]:
        """The pairs of each split, in file order."""
        return {
            split: self._for_training(_aligned(*files)) if split == "train" else _complete(_aligned(*files), files)
            for split, files in self._files().items()
        }

    def _files(self) -> dict[str, tuple[Path, Path]]:
        """The two files of each split."""
        if not self.path.is_dir():
            raise InputError(
                f"{self.path}: no such folder; set data.path=FOLDER to the folder of line-aligned files, or, for the"
                " experiments on Multi30k, the environment variable SEQLAB_DATA=FOLDER to the folder that has multi30k"
                " in it"
            )
        source, target = self.languages
        return {
            split: (self._file(split, name, source), self._file(split, name, target))
            for split, name in self.names.items()
            if name is not None
        }

    def _file(self, split: str, name: str, language: str) -> Path:
        for ending in ("", ".gz"):
            file = self.path / f"{name}.{language}{ending}"
            if file.is_file():
                return file
        none = "" if split == "train" else f", and data.{split}=null leaves the split out"
        raise InputError(
            f"{self.path}: neither {name}.{language} nor {name}.{language}.gz exists;"
            f" data.{split}=NAME takes files of another name{none}"
        )

    def _for_training(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        empty = kept = 0
        for pair in pairs:
            if not (pair.source and pair.target):
                empty += 1
            elif (self.max_pairs is None or kept < self.max_pairs) and self._is_short(pair):
                kept += 1
                yield pair
        if empty:
            log.warning("%d training pairs with an empty side are dropped", empty)

    def _is_short(self, pair: Pair) -> bool:
        return self.max_words is None or max(len(pair.source.split()), len(pair.target.split())) <= self.max_words


def _aligned(source: Path, target: Path) -> Iterator[Pair]:
    sides = (lines_of(functools.partial(file_pieces, file), str(file)) for file in (source, target))
    blank, read = 0, [0, 0]
    for lines in zip_longest(*sides):
        read = [count + (line is not None) for count, line in zip(read, lines, strict=True)]
        left, right = (formed(line or "", PAIRS) for line in lines)
        pair = Pair(left, right)
        if not (pair.source or pair.target):
            blank += 1  # blank lines at the end of a file do not count
            continue
        if read[0] != read[1]:
            raise InputError(_uneven(source, target))
        yield from (Pair("", ""),) * blank
        blank = 0
        yield pair


def _uneven(source: Path, target: Path) -> str:
    lengths = [sum(1 for _ in lines_of(functools.partial(file_pieces, file), str(file))) for file in (source, target)]
    return (
        f"{source} has {plural(lengths[0], 'line')}, but {target} {lengths[1]:,}; line n of one must be the translation"
        " of line n of the other"
    )


def _complete(pairs: Iterable[Pair], files: tuple[Path, Path]) -> Iterator[Pair]:
    for number, pair in enumerate(pairs, 1):
        if not (pair.source and pair.target):
            raise InputError(
                f"{files[1] if pair.source else files[0]}:{number}: the line is empty; expected a sentence"
            )
        yield pair
