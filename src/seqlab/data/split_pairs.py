"""Sentence pairs whose missing splits are taken from their training pairs, by source."""

from __future__ import annotations

import functools
from abc import abstractmethod
from typing import Any, Literal

import numpy as np

from seqlab.checks import check_sizes
from seqlab.data.text_pairs import TextPairs
from seqlab.errors import InputError
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import Fit

HELD_OUT = ("val", "test")


class SplitPairs(TextPairs):
    """Base of datasets of pairs that may come in splits. A subclass implements `read` and `content`.

    A split that is missing is taken from the training pairs: a source goes to one split, with all its translations.
    All translations of a source count as references, also those of pairs that were not kept.

    Args:
        max_pairs: keep at most this many training pairs (None: all).
        sample: which of them to keep: the first, or a random sample.
        max_words: drop training pairs with more words (by white space) than this on either side.
        val_share, test_share: shares of the sources that go to a split that is missing; at least one source each,
            unless 0.
        seed: seed of the sample and of the split.

    Raises:
        ValueError: shares or counts out of range.
        InputError: the pairs cannot be read, or nothing is left to train on.
    """

    def __init__(
        self,
        tokenizer: Fit,
        max_pairs: int | None = None,
        sample: Literal["first", "random"] = "first",
        max_words: int | None = None,
        val_share: float = 0.1,
        test_share: float = 0.1,
        seed: int = 0,
        **loading: Any,
    ) -> None:
        super().__init__(tokenizer, **loading)
        if min(val_share, test_share) < 0 or val_share + test_share >= 1:
            raise ValueError(f"val_share and test_share must leave some training, but are {val_share}, {test_share}")
        check_sizes(max_pairs=max_pairs, max_words=max_words)
        self.max_pairs, self.sample, self.max_words = max_pairs, sample, max_words
        self.val_share, self.test_share, self.seed = val_share, test_share, seed

    @abstractmethod
    def read(self) -> dict[str, list[Pair]]:
        """All pairs of each split; val and test may be missing."""

    @abstractmethod
    def content(self) -> dict[str, Any]:
        """What decides what `read` returns, ready for JSON: hashes of files, for example."""

    def fingerprint(self) -> dict[str, Any]:
        settings = ("max_pairs", "sample", "max_words", "val_share", "test_share", "seed")
        return {**self.content(), **{name: getattr(self, name) for name in settings}}

    @functools.cached_property
    def all_pairs(self) -> dict[str, list[Pair]]:
        """What `read` returns, read once."""
        return self.read()

    def known_translations(self) -> dict[str, list[str]]:
        """All translations of the training pairs' sources, unless a split that the data has holds the source, too."""
        held_out = {pair.source for split in HELD_OUT for pair in self.all_pairs.get(split, [])}
        known: dict[str, list[str]] = {}
        for pair in self.all_pairs["train"]:
            if pair.source not in held_out:
                known.setdefault(pair.source, []).extend([pair.target, *pair.alternatives])
        return known

    def pairs(self) -> dict[str, list[Pair]]:
        """The pairs of each split, in the order of their files."""
        held_out = {split: self.all_pairs[split] for split in HELD_OUT if split in self.all_pairs}
        missing = [split for split in HELD_OUT if split not in held_out]
        return {**self._split(self.kept(), missing), **held_out}

    def kept(self) -> list[Pair]:
        """The training pairs, without those that `max_words`, `max_pairs` and `sample` leave out."""
        pairs = self.all_pairs["train"]
        if self.max_words is not None:
            limit = self.max_words
            pairs = [p for p in pairs if max(len(p.source.split()), len(p.target.split())) <= limit]
        if self.max_pairs is None or len(pairs) <= self.max_pairs:
            return pairs
        if self.sample == "first":
            return pairs[: self.max_pairs]
        rows = np.random.default_rng(self.seed).choice(len(pairs), self.max_pairs, replace=False)
        return [pairs[row] for row in sorted(rows)]

    def _split(self, pairs: list[Pair], missing: list[str]) -> dict[str, list[Pair]]:
        """The pairs in training and in the missing splits."""
        shares = {split: getattr(self, f"{split}_share") for split in missing}
        sources = list(dict.fromkeys(pair.source for pair in pairs))
        order = np.random.default_rng(self.seed).permutation(len(sources)).tolist()
        # A split with a share above 0 gets at least one source, however few there are.
        sizes = {split: max(1, round(share * len(sources))) if share else 0 for split, share in shares.items()}
        if 0 < len(sources) <= sum(sizes.values()):
            settings = " and ".join(f"{split}_share ({share})" for split, share in shares.items())
            raise InputError(
                f"{self.describe()}: {len(sources)} different sources are too few for training with {settings}; a share"
                " of 0 leaves a split out"
            )
        names = dict.fromkeys(sources, "train")
        for split, size in sizes.items():
            names |= {sources[i]: split for i in order[:size]}
            order = order[size:]
        splits: dict[str, list[Pair]] = {split: [] for split in ("train", *missing)}
        for pair in pairs:
            splits[names[pair.source]].append(pair)
        return splits
