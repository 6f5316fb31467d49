"""Sentence pairs whose missing splits are taken from their training pairs, by source."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Literal

import numpy as np

from seqlab.checks import check_sizes
from seqlab.data.pair_store import PairStore
from seqlab.data.text_pairs import TextPairs, begins
from seqlab.errors import InputError
from seqlab.text.tokenizers import Fit

HELD_OUT = ("val", "test")


class SplitPairs(TextPairs):
    """Base of datasets of pairs that may come in splits. A subclass implements `pairs` (all pairs, of the splits that
    there are) and `content`.

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
    def content(self) -> dict[str, Any]:
        """What decides what `pairs` returns, ready for JSON: hashes of files, for example."""

    def fingerprint(self) -> dict[str, Any]:
        settings = ("max_pairs", "sample", "max_words", "val_share", "test_share", "seed")
        return {**self.content(), **{name: getattr(self, name) for name in settings}}

    def assigned(self, stores: Mapping[str, PairStore]) -> dict[str, tuple[str, np.ndarray]]:
        """The pairs of each split, in the order of their files: those that are missing are taken from training."""
        held_out = {split: (split, np.ones(len(stores[split]), bool)) for split in HELD_OUT if split in stores}
        if "train" not in stores:
            return {}
        missing = [split for split in HELD_OUT if split not in held_out]
        numbers = self._split(stores["train"], self.kept(stores["train"]), missing)
        taken = {split: ("train", numbers == i) for i, split in enumerate(("train", *missing), 1)}
        return {**taken, **held_out}

    def kept(self, store: PairStore) -> np.ndarray:
        """Mask (n,) of the training pairs, without those that `max_words`, `max_pairs` and `sample` leave out."""
        kept = np.ones(len(store), dtype=bool)
        if self.max_words is not None:
            limit, row = self.max_words, count()
            for pairs in store.chunks():
                for pair in pairs:
                    kept[next(row)] = max(len(pair.source.split()), len(pair.target.split())) <= limit
        left = int(np.count_nonzero(kept))
        if self.max_pairs is None or left <= self.max_pairs:
            return kept
        sampled = np.zeros(left, dtype=bool)
        if self.sample == "first":
            sampled[: self.max_pairs] = True
        else:
            sampled[np.random.default_rng(self.seed).choice(left, self.max_pairs, replace=False)] = True
        kept[kept] = sampled
        return kept

    def _split(self, store: PairStore, kept: np.ndarray, missing: Sequence[str]) -> np.ndarray:
        """The number of the split of each row (n,): 0 for none, 1 for training, then those that are missing.

        Sources are known by their hashes; they are counted in the order of their first rows.
        """
        first = np.zeros(len(store), dtype=bool)
        for numbers, rows in self._groups(store, kept):
            first[rows[begins(numbers)]] = True
        sources = np.count_nonzero(first)
        shares = {split: getattr(self, f"{split}_share") for split in missing}
        # A split with a share above 0 gets at least one source, however few there are.
        sizes = {split: max(1, round(share * sources)) if share else 0 for split, share in shares.items()}
        if 0 < sources <= sum(sizes.values()):
            settings = " and ".join(f"{split}_share ({share})" for split, share in shares.items())
            raise InputError(
                f"{self.describe()}: {sources} different sources are too few for training with {settings}; a share"
                " of 0 leaves a split out"
            )
        order, drawn = np.random.default_rng(self.seed).permutation(sources), np.ones(sources, dtype=np.uint8)
        for number, size in enumerate(sizes.values(), 2):
            drawn[order[:size]] = number
            order = order[size:]
        splits = np.zeros(len(store), dtype=np.uint8)
        splits[first] = drawn
        for numbers, rows in self._groups(store, kept):
            new = begins(numbers)
            splits[rows] = splits[rows[new]][np.cumsum(new) - 1]
        return splits

    def _groups(self, store: PairStore, kept: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for numbers, rows in store.groups():
            inside = kept[rows]
            yield numbers[inside], rows[inside]
