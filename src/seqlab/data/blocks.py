"""Examples cut out of a stream of token ids: blocks of it, or chunks with the tokens before them as the source.

Where an example begins is computed from its row: nothing is stored per token or example.

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
    """Examples at any position of a stream: the labels of row i are the `length` tokens after token i.

    Without context, the target is the block of the stream that starts at token i, and the source is empty. With
    context, the source is the `context` tokens up to and including token i (fewer at the beginning of the stream, and
    never the stream's BOS), and the target is the tokens after it, between BOS and EOS.
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
        return np.maximum(self._target_lengths(starts), np.minimum(self.context, starts))

    def padded_lengths(self, rows: np.ndarray) -> tuple[int, int]:
        starts = self._starts(np.where(rows < 0, len(self) - 1, rows))
        sources, targets = np.minimum(self.context, starts), self._target_lengths(starts)
        return int(sources.max(initial=1)), int(targets.max(initial=1))

    def source_ids(self, row: int) -> np.ndarray:
        return self._source(*self._starts(np.array([row])).tolist())

    def target_ids(self, row: int) -> np.ndarray:
        return self._target(*self._starts(np.array([row])).tolist())

    def batch(self, rows: np.ndarray) -> Batch:
        real = np.where(rows < 0, len(self) - 1, rows)  # filler rows, too, need a source that is not empty
        starts = self._starts(real).tolist()
        source, source_lengths = _padded([self._source(start) for start in starts])
        target, target_lengths = _padded([self._target(start) for start in starts])
        context_length = torch.from_numpy(self._context_length(real))
        filler = torch.from_numpy(rows < 0)
        target[filler], target_lengths[filler], context_length[filler] = PAD, 0, 1
        split_rows = torch.from_numpy(rows.astype(np.int64))
        return Batch(source, source_lengths, target, target_lengths, context_length, split_rows)

    def fingerprint(self) -> str:
        return fingerprint([self.stream.fingerprint(), self.length, self.context, len(self)])

    def _starts(self, rows: np.ndarray) -> np.ndarray:
        """Where each row begins in the stream."""
        return rows

    def _target_lengths(self, starts: np.ndarray) -> np.ndarray:
        return np.minimum(self.length, len(self.stream) - 1 - starts) + (2 if self.context else 1)

    def _context_length(self, rows: np.ndarray) -> np.ndarray:
        """How many tokens at the beginning of each target are decoder input but not labels."""
        return np.ones(len(rows), np.int64)

    def _source(self, start: int) -> np.ndarray:
        return self.stream[max(1, start + 1 - self.context) : start + 1] if self.context else self.stream[0:0]

    def _target(self, start: int) -> np.ndarray:
        if not self.context:
            return self.stream[start : start + self.length + 1]
        return np.concatenate([[BOS], self.stream[start + 1 : start + 1 + self.length], [EOS]])


@dataclass(frozen=True)
class Blocks(Windows):
    """All of a stream, in order: row k begins `stride` tokens after row k − 1, and only its new tokens are labels.

    Every token but the first is a label exactly once, predicted from at least the `length` − `stride` tokens before it
    (fewer only at the beginning of the stream).

    Raises:
        ValueError: the stride is larger than the blocks, or, with context, different from their length.
    """

    stride: int

    def __post_init__(self) -> None:
        if self.stride > self.length or (self.context and self.stride != self.length):
            kind = "equal to length if there is context" if self.context else "at most length"
            raise ValueError(f"stride must be {kind} ({self.length}), but is {self.stride}")

    def __len__(self) -> int:
        labels = len(self.stream) - 1
        return 1 + max(0, -(-(labels - self.length) // self.stride)) if labels > 0 else 0

    @property
    def tokens(self) -> int:
        """Number of labels in all rows together."""
        return max(0, len(self.stream) - 1) + (len(self) if self.context else 0)

    def _starts(self, rows: np.ndarray) -> np.ndarray:
        return rows * self.stride

    def _context_length(self, rows: np.ndarray) -> np.ndarray:
        return np.where(rows == 0, 1, self.length - self.stride + 1)


class RandomBlocks(Sampler):
    """Batches of positions at which blocks of `length` begin in a stream of `tokens`; each epoch cuts other blocks.

    The blocks of an epoch follow one another from a random offset on, and are shuffled. So an epoch covers each token
    once, except for less than two blocks at the ends. All epochs have the same number of batches.

    Raises:
        ValueError: the stream is not longer than a block.
    """

    def __init__(self, tokens: int, length: int, batch_size: int, seed: int) -> None:
        if tokens <= length:
            raise ValueError(f"length must be below the number of tokens ({tokens:,}), but is {length:,}")
        self._phases = min(length, tokens - length)
        self._blocks = (tokens - self._phases) // length
        self._length, self._batch_size, self._seed = length, batch_size, seed

    def __len__(self) -> int:
        return -(-self._blocks // self._batch_size)

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The positions of each batch; the same for the same seed and epoch."""
        generator = np.random.default_rng([self._seed, epoch])
        starts = generator.integers(self._phases) + self._length * generator.permutation(self._blocks)
        return np.split(starts, range(self._batch_size, self._blocks, self._batch_size))


def _padded(sequences: Sequence[np.ndarray]) -> tuple[Int[Tensor, "B L"], Int[Tensor, " B"]]:
    """The sequences, padded with PAD on the right to the longest of them, and their lengths."""
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    values = np.full((len(sequences), max(1, lengths.max(initial=0))), PAD, np.int64)
    for row, sequence in zip(values, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(values), torch.from_numpy(lengths)
