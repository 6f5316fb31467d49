"""Random arrays of integers and their reversals: a task where every mistake is easy to see."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from seqlab.data.batch import Examples
from seqlab.data.generated import split_sizes
from seqlab.data.module import SequenceData
from seqlab.data.passages import Passages, passages_of
from seqlab.errors import InputError
from seqlab.text.tokenizers import IntegerTokenizer


class Reversal(SequenceData):
    """Source: integers `smallest` to `largest`; target: the same in reverse order.

    Lengths are spread evenly over `min_length` to `max_length` (short lengths may have fewer distinct sequences than
    that), and no sequence appears twice, neither within a split nor across splits.

    Args:
        samples: number of sequences in all splits together.
        split: shares of train, val and test.
        val_max_length, test_max_length: longest sequences of these splits; None: as in training.
        fill: source and target are arrays of one fixed length, filled up with zeros; the zero is an ordinary symbol in
            loss and accuracy. Otherwise lengths vary.
        seed: seed of the sequences.

    Raises:
        ValueError: lengths, shares or integers that contradict each other.
        InputError: there are fewer distinct sequences than `samples` (when loading).
    """

    def __init__(
        self,
        smallest: int = 1,
        largest: int = 15,
        min_length: int = 1,
        max_length: int = 10,
        val_max_length: int | None = None,
        test_max_length: int | None = None,
        samples: int = 10_000,
        split: Sequence[float] = (0.5, 0.25, 0.25),
        fill: bool = False,
        seed: int = 0,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.longest = {
            "train": max_length,
            "val": max_length if val_max_length is None else val_max_length,
            "test": max_length if test_max_length is None else test_max_length,
        }
        if not 1 <= min_length <= min(self.longest.values()):
            raise ValueError(
                f"min_length must be 1 to the smallest maximum ({min(self.longest.values())}), but is {min_length}"
            )
        self._sizes = split_sizes(samples, split)
        self.smallest, self.largest, self.min_length, self.fill, self.seed = smallest, largest, min_length, fill, seed
        self.source_tokenizer = self.target_tokenizer = self._tokenizer = IntegerTokenizer(
            smallest, largest, max(self.longest.values()), fill
        )

    @property
    def filler(self) -> int | None:
        return self._tokenizer.filler

    def describe(self) -> str:
        return f"reversal of {self.min_length} to {max(self.longest.values())} integers {self.smallest}..{self.largest}"

    def licence(self) -> str:
        return "none needed, the examples are computed"

    def passages(self, split: str) -> Iterator[Mapping[str, Passages]]:
        """The sources only, because the targets are the same sequences."""
        examples, text = self.examples[split], functools.partial(self.source_text, split)
        for part in passages_of(examples.source_ids, len(examples), text, self.special_ids):
            yield {"sequences": part}

    def load(self) -> None:
        """Draws the sequences of each length for all splits at once, then distributes them to the splits."""
        generator = np.random.default_rng(self.seed)
        symbols = self.largest - self.smallest + 1
        wanted = self._counts(symbols)
        dealt: dict[str, list[np.ndarray]] = {split: [] for split in self.longest}
        for length in range(self.min_length, max(self.longest.values()) + 1):
            counts = [wanted[split].get(length, 0) for split in self.longest]
            drawn = distinct_sequences(generator, sum(counts), length, symbols) + self.smallest
            for split, part in zip(self.longest, np.split(drawn, np.cumsum(counts)[:-1]), strict=True):
                dealt[split].extend(part)
        self.examples = {split: self._examples(dealt[split]) for split in self.longest if dealt[split]}

    def _counts(self, symbols: int) -> dict[str, dict[int, int]]:
        """For each split, how many sequences of each length: as even as the number of distinct ones allows."""
        left = {n: symbols**n for n in range(self.min_length, max(self.longest.values()) + 1)}
        counts: dict[str, dict[int, int]] = {}
        # A split of short sequences has the least choice, so it chooses first.
        for split in sorted(self.longest, key=lambda split: self.longest[split]):
            lengths = range(self.min_length, self.longest[split] + 1)
            if self._sizes[split] > sum(left[length] for length in lengths):
                raise InputError(
                    f"{sum(self._sizes.values()):,} distinct sequences are needed,"
                    f" {self._sizes[split]:,} of them for {split}, but of {symbols} integers with lengths"
                    f" {self.min_length} to {self.longest[split]} there are only"
                    f" {sum(symbols**length for length in lengths):,}: lower data.samples"
                )
            counts[split] = spread_evenly(self._sizes[split], [left[length] for length in lengths], self.min_length)
            for length, count in counts[split].items():
                left[length] -= count
        return counts

    def _examples(self, sequences: list[np.ndarray]) -> Examples:
        return Examples.of((self._array(s), self._array(s[::-1])) for s in sequences)

    def _array(self, sequence: np.ndarray) -> list[int]:
        ids = self._tokenizer.ids(sequence).tolist()
        return ids + [self.filler] * (self._tokenizer.max_length - len(ids)) if self.fill else ids


def spread_evenly(total: int, room: Sequence[int], first: int) -> dict[int, int]:
    """Distributes `total` over the numbers `first`, `first` + 1 … as evenly as possible; `room` limits each number.

    `total` must not exceed the sum of `room`.
    """
    counts = dict.fromkeys(range(first, first + len(room)), 0)
    by_room = sorted(counts, key=lambda number: (room[number - first], number))
    for waiting, number in zip(range(len(room), 0, -1), by_room, strict=True):
        counts[number] = min(-(-total // waiting), room[number - first])
        total -= counts[number]
    return counts


def distinct_sequences(generator: np.random.Generator, count: int, length: int, symbols: int) -> np.ndarray:
    """`count` distinct sequences of `length` numbers in 0 … `symbols` − 1, in random order: (count, length).

    `count` must not exceed `symbols ** length`.
    """
    if 2 * count > symbols**length:
        codes = generator.permutation(symbols**length)[:count]
        return codes[:, None] // symbols ** np.arange(length) % symbols
    sequences = np.empty((0, length), dtype=np.int64)
    while len(sequences) < count:
        more = generator.integers(symbols, size=(count - len(sequences), length))
        sequences = np.unique(np.concatenate([sequences, more]), axis=0)
    return generator.permutation(sequences)
