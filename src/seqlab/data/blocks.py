"""Examples cut out of a stream of token ids: blocks of it, or chunks with what stands before them.

Where an example begins is arithmetic: nothing is kept for each token or example.

Shapes: B batch, L longest of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from seqlab.data.batch import Batch, Rows
from seqlab.data.loader import Sampler
from seqlab.data.token_memmap import Stream
from seqlab.identity import fingerprint
from seqlab.special_tokens import BOS, EOS, PAD


@dataclass(frozen=True)
class Windows(Rows):
    """Examples anywhere in a stream: that of row i asks for the `length` tokens after token i.

    Without context its target is a block of the stream, from token i on, and its source is empty. With it the source
    is the `context` tokens up to token i, as far as there are so many after the stream's own BOS, and the target what
    follows, framed BOS … EOS.
    """

    stream: Stream
    length: int
    context: int

    def __len__(self) -> int:
        return max(0, len(self.stream) - self.length)

    @property
    def longest_source(self) -> int:
        return min(self.context, len(self.stream) - 1)

    @property
    def longest_target(self) -> int:
        return min(self.length, len(self.stream) - 1) + bool(self.context)  # with its EOS

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        starts = self._starts(rows)
        targets = np.minimum(self.length, len(self.stream) - 1 - starts) + (2 if self.context else 1)
        return np.maximum(targets, np.minimum(self.context, starts))

    def source_ids(self, row: int) -> np.ndarray:
        return self._source(*self._starts(np.array([row])).tolist())

    def target_ids(self, row: int) -> np.ndarray:
        return self._target(*self._starts(np.array([row])).tolist())

    def batch(self, rows: np.ndarray) -> Batch:
        real = np.where(rows < 0, len(self) - 1, rows)  # of filler, too: a source that is not empty
        starts = self._starts(real).tolist()
        source, source_lengths = _padded([self._source(start) for start in starts])
        target, target_lengths = _padded([self._target(start) for start in starts])
        given = torch.from_numpy(self._given(real))
        filler = torch.from_numpy(rows < 0)
        target[filler], target_lengths[filler], given[filler] = PAD, 0, 1
        return Batch(source, source_lengths, target, target_lengths, given, torch.from_numpy(rows.astype(np.int64)))

    def fingerprint(self) -> str:
        return fingerprint([self.stream.fingerprint(), self.length, self.context, len(self)])

    def _starts(self, rows: np.ndarray) -> np.ndarray:
        """The place of each row."""
        return rows

    def _given(self, rows: np.ndarray) -> np.ndarray:
        """How much of each target is told without being asked for."""
        return np.ones(len(rows), np.int64)

    def _source(self, start: int) -> np.ndarray:
        return self.stream[max(1, start + 1 - self.context) : start + 1] if self.context else self.stream[0:0]

    def _target(self, start: int) -> np.ndarray:
        if not self.context:
            return self.stream[start : start + self.length + 1]
        return np.concatenate([[BOS], self.stream[start + 1 : start + 1 + self.length], [EOS]])


@dataclass(frozen=True)
class Blocks(Windows):
    """All of a stream, in order: row k begins `stride` tokens after row k − 1, and asks only for what is new.

    So every token but the first is asked for exactly once, and told at least `length` − `stride` tokens before it,
    as far as there are so many.

    Raises:
        ValueError: a stride longer than the blocks, or another than their length where there is context.
    """

    stride: int

    def __post_init__(self) -> None:
        if self.stride > self.length or (self.context and self.stride != self.length):
            kind = "length, where there is context," if self.context else "at most length"
            raise ValueError(f"stride must be {kind} ({self.length}), but is {self.stride}")

    def __len__(self) -> int:
        asked = len(self.stream) - 1
        return 1 + max(0, -(-(asked - self.length) // self.stride)) if asked > 0 else 0

    @property
    def tokens(self) -> int:
        """Tokens that all rows together ask for."""
        return max(0, len(self.stream) - 1) + (len(self) if self.context else 0)

    def _starts(self, rows: np.ndarray) -> np.ndarray:
        return rows * self.stride

    def _given(self, rows: np.ndarray) -> np.ndarray:
        return np.where(rows == 0, 1, self.length - self.stride + 1)


class RandomBlocks(Sampler):
    """Batches of places in a stream of `tokens`, a block of `length` after each: every epoch another cut, shuffled.

    An epoch's blocks follow one another from a random phase on, so it asks for each token once, but for less than two
    blocks at the ends. The number of batches is the same in every epoch.

    Raises:
        ValueError: the stream is no longer than a block.
    """

    def __init__(self, tokens: int, length: int, batch_size: int, seed: int) -> None:
        if tokens <= length:
            raise ValueError(f"length must be below the {tokens:,} tokens that there are, but is {length:,}")
        self._phases = min(length, tokens - length)
        self._blocks = (tokens - self._phases) // length
        self._length, self._batch_size, self._seed = length, batch_size, seed

    def __len__(self) -> int:
        return -(-self._blocks // self._batch_size)

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The places of each batch; the same for the same seed and epoch."""
        generator = np.random.default_rng([self._seed, epoch])
        places = generator.integers(self._phases) + self._length * generator.permutation(self._blocks)
        return np.split(places, range(self._batch_size, self._blocks, self._batch_size))


def _padded(sequences: Sequence[np.ndarray]) -> tuple[Int[Tensor, "B L"], Int[Tensor, " B"]]:
    """The sequences, filled with PAD on the right to the longest of them, and their lengths."""
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    values = np.full((len(sequences), max(1, lengths.max(initial=0))), PAD, np.int64)
    for row, sequence in zip(values, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(values), torch.from_numpy(lengths)
