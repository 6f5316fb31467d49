"""Sentence pairs as published for Anki: a source may have many translations, and the split keeps them together."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqlab import paths
from seqlab.data.pair_store import PairStore
from seqlab.data.split_pairs import SplitPairs
from seqlab.text.column_choice import DECK
from seqlab.text.languages import deck_languages
from seqlab.text.lines import sha256_of
from seqlab.text.pairs import Pair, pairs_of
from seqlab.text.row_files import read_deck
from seqlab.text.tokenizers import Fit

log = logging.getLogger(__name__)
DOWNLOADED = Path("outputs/data/fra-eng.zip")


class Anki(SplitPairs):
    """Pairs of a deck: the first two columns of a `.txt` or `.tsv` file, compressed or not, or of one in a `.zip`.

    Args:
        path: the file, or "phrasebook" for the small one that ships with seqlab; None takes the English–French deck:
            the downloaded one, else that of `$SEQLAB_DATA/anki`; where there is none, the phrasebook.
        reverse: translate from the second column to the first.
        split: "source" assigns sources to splits at random, each with all its translations; "published" holds out the
            last fifth of the pairs in file order for validation and has no test split, as the Keras example does
            (the same source may then be in both splits).

    Raises:
        ValueError: shares or counts out of range.
        InputError: the file is bad (see `read_deck`), or nothing is left to train on.
    """

    def __init__(
        self,
        tokenizer: Fit,
        path: str | Path | None = None,
        reverse: bool = False,
        split: Literal["source", "published"] = "source",
        **selection: Any,
    ) -> None:
        super().__init__(tokenizer, **selection)
        if path is None:
            decks = (DOWNLOADED, Path(os.environ.get("SEQLAB_DATA", "../shared/data"), "anki", DOWNLOADED.name))
            path = next((deck.as_posix() for deck in decks if deck.is_file()), paths.PHRASEBOOK)
            self.pinned_arguments["path"] = path
        self.path = paths.phrasebook() if path == paths.PHRASEBOOK else Path(path)
        self.reverse, self.split = reverse, split
        languages = ("en", "fr") if self.path == paths.phrasebook() else deck_languages(self.path.name)
        source, target = reversed(languages) if reverse else languages
        self.named_by_file = self.target_language is None
        self.source_language, self.target_language = self.source_language or source, self.target_language or target

    def describe(self) -> str:
        if self.path == paths.phrasebook():
            return "the small phrasebook that ships with seqlab (`make data` fetches a real deck; data.path=FILE)"
        return f"pairs of {self.path.name}"

    def licence(self) -> str:
        return "MIT, as of seqlab" if self.path == paths.phrasebook() else super().licence()

    def content(self) -> dict[str, Any]:
        return {"sha256": sha256_of(self.path), "reverse": self.reverse, "split": self.split}

    def pairs(self) -> dict[str, Iterable[Pair]]:
        pairs, line = pairs_of(read_deck(self.path), DECK)
        self.reading_remarks += [] if line is None else [line]
        return {"train": (Pair(pair.target, pair.source) for pair in pairs) if self.reverse else pairs}

    def assigned(self, stores: Mapping[str, PairStore]) -> dict[str, tuple[str, np.ndarray]]:
        """The pairs of each split, in file order."""
        if self.split == "source" or "train" not in stores:
            return super().assigned(stores)
        training = self.kept(stores["train"])
        rows = np.flatnonzero(training)
        held_out = rows[len(rows) - len(rows) // 5 :]
        if not len(held_out):
            log.warning("data.split=published leaves no validation: a fifth of %d pairs is none", len(rows))
        validation = np.zeros_like(training)
        validation[held_out] = True
        return {"train": ("train", training & ~validation), "val": ("train", validation)}
