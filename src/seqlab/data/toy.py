"""A handful of integer pairs, written in the configuration, that a model should memorise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra_pruning_sweeper.messages import plural
from seqlab.data.batch import Examples
from seqlab.data.module import SequenceData
from seqlab.text.tokenizers import IntegerTokenizer


class IntegerPairs(SequenceData):
    """The same few pairs in training, validation and test.

    Args:
        pairs: sources and targets as text, such as `[["1 2 3", "3 2 1"]]`.
        smallest, largest: the integers of the vocabulary.

    Raises:
        ValueError: there is no pair, a pair is not two texts, or an integer is out of range.
    """

    def __init__(self, pairs: Sequence[Sequence[str]], smallest: int = 0, largest: int = 9, **loading: Any) -> None:
        super().__init__(**loading)
        if not pairs or any(isinstance(pair, str) or len(pair) != 2 for pair in pairs):
            raise ValueError(f"pairs must be a list of [source, target], but is {pairs}")
        longest = max(1, *(len(IntegerTokenizer.words(side)) for pair in pairs for side in pair))
        tokenizer = IntegerTokenizer(smallest, largest, longest)
        self.source_tokenizer = self.target_tokenizer = tokenizer
        self._encoded = [(tokenizer.encode(source), tokenizer.encode(target)) for source, target in pairs]

    def describe(self) -> str:
        return f"{plural(len(self._encoded), 'integer pair')} to learn by heart"

    def licence(self) -> str:
        return "none needed, the examples are computed"

    def load(self) -> None:
        """Every split has every pair."""
        self.examples = dict.fromkeys(("train", "val", "test"), Examples.of(self._encoded))
