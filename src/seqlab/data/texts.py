"""Assigns the text of documents to splits, as runs of sentences or lines."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqlab.checks import check_sizes
from seqlab.data.corpus import Corpus, read_corpus
from seqlab.data.splits import Parts, at_the_end, by_block, by_document, lines
from seqlab.text.documents import Cleaning, Document, Limits
from seqlab.text.forms import Form
from seqlab.text.sentences import sentences

Runs = Iterator[Iterator[str]]
"""Runs of units without gaps; each run must be consumed before advancing to the next."""
Split = Literal["block", "document", "folder", "tail"]


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The text of each split; can be iterated over repeatedly. `Documents` explains the settings.

    A unit is a sentence if `by_sentence`, else a line as it is.

    Raises:
        ValueError: settings are out of range or contradict each other.
    """

    path: Path
    validation_path: Path | None
    cache: Path
    by_sentence: bool
    split: Split
    val_share: float
    block: int
    include: tuple[str, ...]
    planted: float
    language: str
    cleaning: Cleaning
    limits: Limits
    seed: int

    def __post_init__(self) -> None:
        check_sizes(block=self.block)
        if self.split == "folder" and self.validation_path is None:
            raise ValueError("validation_path must name a folder or a file if split is folder, but is null")
        smallest = "at least 0" if self.split == "folder" else "above 0"
        if not 0 <= self.val_share < 1 or (self.split != "folder" and not self.val_share):
            raise ValueError(f"val_share must be {smallest} and below 1, but is {self.val_share}")
        if not 0 <= self.planted <= 1:
            raise ValueError(f"planted must be a share from 0 to 1, but is {self.planted}")

    @property
    def form(self) -> Form:
        """The steps that the texts went through; a tokenizer applies them to all other texts."""
        return ("normalised",) * self.cleaning.normalise + ("single_spaces",) * self.by_sentence

    def key(self) -> dict[str, Any]:
        """Everything that decides what the texts are, ready for JSON."""
        settings = ("by_sentence", "split", "val_share", "block", "planted", "language", "seed")
        corpora = [corpus.folder.name if corpus else None for corpus in (self.corpus, self.other_corpus)]
        return {"texts": corpora, **{name: getattr(self, name) for name in settings}}

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The documents at `path`."""
        return read_corpus(self.path, self.cleaning, self.include, self.cache, self.limits)

    @functools.cached_property
    def other_corpus(self) -> Corpus | None:
        """The documents at `validation_path`, if there is one."""
        if self.validation_path is None:
            return None
        return read_corpus(self.validation_path, self.cleaning, (), self.cache, self.limits)

    def reading_report(self) -> str:
        """What was read, what was skipped and why, and what cleaning dropped."""
        corpora = [self.corpus, *([self.other_corpus] if self.other_corpus else [])]
        return "\n".join(
            f"{corpus.collection.path}: {corpus.collection.summary()}\n{corpus.cleaning}" for corpus in corpora
        )

    @property
    def validates_on_other(self) -> bool:
        """Whether `val` is the other text, so that what is held out is `val_other`."""
        return self.split == "folder"

    @property
    def _held_out(self) -> str:
        return "val_other" if self.validates_on_other else "val"

    @property
    def splits(self) -> list[str]:
        """The splits that exist."""
        return list(self._runs)

    def runs(self, split: str) -> Runs:
        """The units of a split."""
        return self._runs[split]()

    def why_empty(self, split: str) -> str:
        """The end of a sentence that says why a split has no unit, and what to do; "" if no unit was there to begin
        with.
        """
        if split not in ("train", self._held_out):
            return ""
        unit = "sentence" if self.by_sentence else "line"
        advice = "another data.val_share or a smaller data.block"
        if self.split == "tail" or self.split == "document":
            advice = "another data.val_share"
        if not self.by_sentence and self.split != "tail":
            advice = "data.split=tail, which also cuts within a line"
        return f": a {unit} is not divided, and none begins in the part of the text that is for {split}; try {advice}"

    def sentences_of(self, units: Iterable[str]) -> Iterable[str]:
        """The sentences of consecutive units."""
        return units if self.by_sentence else (text for _, text in sentences(units, self.language))

    @functools.cached_property
    def _runs(self) -> dict[str, Callable[[], Runs]]:
        documents = self.corpus.documents
        units = self._sentences if self.by_sentence else lines
        parts = Parts(documents, self._edges(), units, exact=self.split == "tail" and not self.by_sentence)
        order = np.random.default_rng(self.seed).permutation(len(documents)).tolist()
        runs: dict[str, Callable[[], Runs]] = {"train": lambda: chain(self._planted(), parts.runs(False, order))}
        if self.val_share:
            runs[self._held_out] = lambda: parts.runs(True, range(len(documents)))
        if self.other_corpus:
            others = self.other_corpus.documents
            runs["val" if self.validates_on_other else "val_other"] = lambda: Parts(others, [], units).runs(
                False, range(len(others))
            )
        return runs

    def _sentences(self, document: Document) -> Iterator[tuple[int, str]]:
        return sentences(document.lines(), self.language)

    def _edges(self) -> list[int]:
        documents, share = self.corpus.documents, self.val_share
        if not share:
            return []
        if self.split == "tail":
            return at_the_end(documents, share)
        if self.split == "document":
            return by_document(documents, share, self.seed)
        return by_block(documents, share, self.block, self.seed)

    def _planted(self) -> Runs:
        """The units of `val` that are added to training: the share `planted` of them, evenly spread."""
        if self.planted:
            for number, unit in enumerate(chain.from_iterable(self.runs("val"))):
                if int((number + 1) * self.planted) > int(number * self.planted):
                    yield iter([unit])
