"""Datasets whose examples are computed: the sizes of their splits, and pairs of texts drawn from all that there are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqlab.data.text_pairs import TextPairs
from seqlab.errors import InputError
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import Fit


def split_sizes(samples: int, split: Sequence[float]) -> dict[str, int]:
    """The number of examples in train, val and test, which add up to `samples`.

    Args:
        split: shares of train, val and test.

    Raises:
        ValueError: the shares do not add up to 1, or `samples` leaves no training example.
    """
    if len(split) != 3 or min(split) < 0 or split[0] <= 0 or abs(sum(split) - 1) > 1e-6:
        raise ValueError(f"split must be three shares (train, val, test) that add up to 1, but is {list(split)}")
    cuts = np.rint(np.cumsum(split) * samples).astype(int)
    sizes = dict(zip(("train", "val", "test"), np.diff(cuts, prepend=0).tolist(), strict=True))
    if sizes["train"] < 1:
        raise ValueError(f"samples must be enough to train on one, but is {samples} (split {list(split)})")
    return sizes


class GeneratedPairs(TextPairs):
    """Base of datasets that write each item (a date, a number) as text in several forms. A subclass implements `pair`
    and `describe`, and adds its own settings to `fingerprint`.

    An item belongs to one split, with all of its forms, so that neither a source nor a target of one split appears in
    another. No pair appears twice. Each item is written in as few forms as `samples` allows: in one, while there are
    enough items.

    Args:
        items: the items, as consecutive integers.
        forms: number of forms that every item has; their sources differ.
        samples: number of pairs in all splits together.
        split: shares of train, val and test.
        seed: decides which items each split has, and in which forms.

    Raises:
        ValueError: shares or counts out of range.
        InputError: there are fewer pairs than `samples` (when loading).
    """

    things = "items"
    """What the items are called in messages."""

    def __init__(
        self,
        tokenizer: Fit,
        items: range,
        forms: int,
        samples: int = 10_000,
        split: Sequence[float] = (0.8, 0.1, 0.1),
        seed: int = 0,
        **loading: Any,
    ) -> None:
        super().__init__(tokenizer, **loading)
        self._sizes = split_sizes(samples, split)
        self.items, self.forms, self.samples, self.split, self.seed = items, forms, samples, split, seed

    @abstractmethod
    def pair(self, item: int, form: int) -> Pair:
        """The pair of an item in form 0 … `forms` − 1."""

    def remarks(self) -> list[str]:
        return ["every source has exactly one correct target: the best possible exact match is 100%"]

    def licence(self) -> str:
        return "none needed, the examples are computed"

    def fingerprint(self) -> dict[str, Any]:
        sizes = {"samples": self.samples, "split": list(self.split), "seed": self.seed}
        return {"items": [self.items.start, self.items.stop], **sizes}

    def files_fingerprint(self) -> None:
        return None

    def pairs(self) -> dict[str, list[Pair]]:
        """The pairs of each split, drawn from the seed."""
        generator = np.random.default_rng(self.seed)
        each = self._forms_per_item()
        order = generator.permutation(len(self.items))
        splits, start = {}, 0
        for split, size in self._sizes.items():
            chosen = order[start : start + -(-size // each)]
            start += len(chosen)
            forms = generator.permuted(np.tile(np.arange(self.forms), (len(chosen), 1)), axis=1)[:, :each]
            # All items in their first form, then all in their second: neighbours are of different items.
            drawn = zip(np.tile(chosen, each).tolist(), forms.T.flatten().tolist(), strict=True)
            splits[split] = [self.pair(self.items[item], form) for item, form in list(drawn)[:size]]
        return splits

    def _forms_per_item(self) -> int:
        """The smallest number of forms per item with which the items suffice for all splits."""
        for each in range(1, self.forms + 1):
            if sum(-(-size // each) for size in self._sizes.values()) <= len(self.items):
                return each
        raise InputError(
            f"{self.samples:,} pairs are needed, but {len(self.items):,} {self.things} in {self.forms} forms make only"
            f" {len(self.items) * self.forms:,}, and no two splits share one of the {self.things}: lower data.samples"
        )
