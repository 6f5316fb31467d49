"""Sentence pairs as published for Anki: a source may have many translations, and the split keeps them together."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqlab import paths
from seqlab.checks import check_sizes
from seqlab.data.text_pairs import TextPairs
from seqlab.errors import InputError
from seqlab.text.languages import deck_languages
from seqlab.text.lines import read_bytes
from seqlab.text.pairs import Pair, read_pairs
from seqlab.text.tokenizers import Fit

log = logging.getLogger(__name__)
DOWNLOADED = Path("outputs/data/fra-eng.zip")


class Anki(TextPairs):
    """Pairs of a `.txt`, `.tsv`, `.gz` or `.zip` file, split by source sentence.

    Args:
        path: the file, or "phrasebook" for the small one that ships with seqlab; None takes the English–French deck:
            the downloaded one, else that of `$SEQLAB_DATA/anki`; where there is none, the phrasebook.
        reverse: translate from the second column to the first.
        max_pairs: keep at most this many pairs (None: all).
        sample: which pairs to keep: the first of the file, or a random sample.
        max_words: drop pairs with more words (by white space) than this on either side.
        split: "source" assigns sources to splits at random, each with all its translations; "published" holds out the
            last fifth of the pairs in file order for validation and has no test split, as the Keras example does
            (the same source may then be in both splits).
        val_share, test_share: shares of the sources with split=source; at least one source each, unless 0.
        seed: seed of the sample and of the split.

    Raises:
        ValueError: shares or counts out of range.
        InputError: the file is bad (see `read_pairs`), or nothing is left to train on.
    """

    def __init__(
        self,
        tokenizer: Fit,
        path: str | Path | None = None,
        reverse: bool = False,
        max_pairs: int | None = None,
        sample: Literal["first", "random"] = "first",
        max_words: int | None = None,
        split: Literal["source", "published"] = "source",
        val_share: float = 0.1,
        test_share: float = 0.1,
        seed: int = 0,
        **loading: Any,
    ) -> None:
        super().__init__(tokenizer, **loading)
        if min(val_share, test_share) < 0 or val_share + test_share >= 1:
            raise ValueError(f"val_share and test_share must leave some training, but are {val_share}, {test_share}")
        check_sizes(max_pairs=max_pairs, max_words=max_words)
        if path is None:
            decks = (DOWNLOADED, Path(os.environ.get("SEQLAB_DATA", "../shared/data"), "anki", DOWNLOADED.name))
            path = next((deck.as_posix() for deck in decks if deck.is_file()), paths.PHRASEBOOK)
            self.pinned_arguments["path"] = path
        self.path = paths.phrasebook() if path == paths.PHRASEBOOK else Path(path)
        self.reverse, self.max_pairs, self.sample, self.max_words = reverse, max_pairs, sample, max_words
        self.split, self.val_share, self.test_share, self.seed = split, val_share, test_share, seed
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

    def fingerprint(self) -> dict[str, Any]:
        settings = ("reverse", "max_pairs", "sample", "max_words", "split", "val_share", "test_share", "seed")
        digest = hashlib.sha256(read_bytes(self.path)).hexdigest()
        return {"sha256": digest, **{name: getattr(self, name) for name in settings}}

    @functools.cached_property
    def _file(self) -> list[Pair]:
        pairs = read_pairs(self.path)
        return [Pair(pair.target, pair.source) for pair in pairs] if self.reverse else pairs

    def known_translations(self) -> dict[str, list[str]]:
        """All translations in the whole file, including pairs that were not kept."""
        known: dict[str, list[str]] = {}
        for pair in self._file:
            known.setdefault(pair.source, []).append(pair.target)
        return known

    def pairs(self) -> dict[str, list[Pair]]:
        """The pairs of each split, in file order."""
        pairs = self._kept()
        if self.split == "published":
            cut = len(pairs) - len(pairs) // 5
            if cut == len(pairs):
                log.warning("data.split=published leaves no validation: a fifth of %d pairs is none", len(pairs))
            return {"train": pairs[:cut], "val": pairs[cut:]}
        sources = list(dict.fromkeys(pair.source for pair in pairs))
        order = np.random.default_rng(self.seed).permutation(len(sources))
        # A split with a share above 0 gets at least one source, however few there are.
        held_out = [max(1, round(share * len(sources))) if share else 0 for share in (self.val_share, self.test_share)]
        if 0 < len(sources) <= sum(held_out):
            raise InputError(
                f"{self.path}: {len(sources)} different sources are too few for training with val_share"
                f" ({self.val_share}) and test_share ({self.test_share}); a share of 0 leaves a split out"
            )
        names = dict.fromkeys(sources, "train")
        for rank, i in enumerate(order[: sum(held_out)]):
            names[sources[i]] = "val" if rank < held_out[0] else "test"
        splits: dict[str, list[Pair]] = {"train": [], "val": [], "test": []}
        for pair in pairs:
            splits[names[pair.source]].append(pair)
        return splits

    def _kept(self) -> list[Pair]:
        pairs = self._file
        if self.max_words is not None:
            limit = self.max_words
            pairs = [p for p in pairs if max(len(p.source.split()), len(p.target.split())) <= limit]
        if self.max_pairs is None or len(pairs) <= self.max_pairs:
            return pairs
        if self.sample == "first":
            return pairs[: self.max_pairs]
        rows = np.random.default_rng(self.seed).choice(len(pairs), self.max_pairs, replace=False)
        return [pairs[row] for row in sorted(rows)]
