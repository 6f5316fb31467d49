"""Examples, and the batches made of them.

Shapes: B batch, S longest source of the batch, T longest target of the batch (BOS and EOS included), L = T − 1.
"""

from __future__ import annotations

import functools
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from seqlab.data.token_memmap import Stream
from seqlab.special_tokens import BOS, EOS, PAD

SPLITS = ("train", "val", "val_other", "test")
"""In the order of reports. Checkpoints and early stopping go by `val`; `val_other` is a second validation text."""

Boundaries = Literal["sentence", "document", "none"]
"""Which parts of a stream's text are enclosed in BOS and EOS."""


class Batch(NamedTuple):
    """A batch of examples. Sources have no BOS and EOS; targets run BOS … EOS, or are blocks of a stream; both are
    padded with PAD on the right.

    `context_length` is the number of tokens at the beginning of each target that are decoder input but not labels: 1,
    or more where a block of a stream repeats labels of the block before it. `rows` are the examples' indices in the
    split; −1 marks a filler row, whose target is empty: it exists so that every process has a row to work on.
    """

    source: Int[Tensor, "B S"]
    source_lengths: Int[Tensor, " B"]
    target: Int[Tensor, "B T"]
    target_lengths: Int[Tensor, " B"]
    context_length: Int[Tensor, " B"]
    rows: Int[Tensor, " B"]

    @property
    def decoder_input(self) -> Int[Tensor, "B L"]:
        """What the decoder reads under teacher forcing: targets without their last position."""
        return self.target[:, :-1]

    @property
    def labels(self) -> Int[Tensor, "B L"]:
        """The token to predict at each position of the decoder input; PAD where there is none."""
        positions = torch.arange(1, self.target.size(1), device=self.target.device)
        return self.target[:, 1:].masked_fill(positions < self.context_length[:, None], PAD)

    @property
    def tokens(self) -> Int[Tensor, " B"]:
        """Number of labels in each row."""
        return (self.target_lengths - self.context_length).clamp(min=0)

    def to(self, device: torch.device) -> Batch:
        """The batch on a device. To a GPU all fields are copied at once, from memory that need not be waited for."""
        if device.type != "cuda" or self.rows.is_cuda:
            return Batch(*(field.to(device) for field in self))
        return self.unpacked(self.packed().pin_memory().to(device, non_blocking=True))

    def packed(self) -> Int[Tensor, " N"]:
        """All fields in one row."""
        return torch.cat([field.flatten() for field in self])

    def unpacked(self, packed: Int[Tensor, " N"]) -> Batch:
        """A batch of the shapes of this one, whose fields are parts of `packed`."""
        parts = packed.split([field.numel() for field in self])
        return Batch(*(part.view(field.shape) for part, field in zip(parts, self, strict=True)))

    def padded(self, source: int, target: int) -> Batch:
        """The batch with PAD appended up to these lengths."""
        missing = (source - self.source.size(1), target - self.target.size(1))
        if not any(missing):
            return self
        return self._replace(
            source=F.pad(self.source, (0, missing[0]), value=PAD), target=F.pad(self.target, (0, missing[1]), value=PAD)
        )


class Rows(ABC):
    """The examples of a split, addressed by row: the interface that loaders, evaluation and reports use."""

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def longest_source(self) -> int:
        """Tokens of the longest source."""

    @property
    @abstractmethod
    def longest_target(self) -> int:
        """Tokens of the longest target without its first: the most that a decoder may have to generate."""

    @abstractmethod
    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Tokens of the longer side of each of these rows; batches are formed by them."""

    def all_lengths(self) -> np.ndarray:
        """`lengths` of all rows."""
        return self.lengths(np.arange(len(self)))

    @abstractmethod
    def padded_lengths(self, rows: np.ndarray) -> tuple[int, int]:
        """The lengths to which the batch of these rows pads sources and targets: S, T."""

    @abstractmethod
    def source_ids(self, row: int) -> np.ndarray:
        """The source of a row."""

    @abstractmethod
    def target_ids(self, row: int) -> np.ndarray:
        """The target of a row, as the batch holds it."""

    @abstractmethod
    def batch(self, rows: np.ndarray) -> Batch:
        """The batch of these rows. Negative rows become filler rows: some source with an empty target."""

    def fingerprint(self) -> str:
        """A short hash of all ids: equal for equal examples."""
        digest = hashlib.blake2b(f"{len(self)}".encode(), digest_size=8)
        for row in range(len(self)):
            for ids in (self.source_ids(row), self.target_ids(row)):
                digest.update(len(ids).to_bytes(8) + ids.astype("<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Ragged:
    """Sequences of different lengths in one flat array, in memory or in files: sequence i is
    `values[offsets[i]:offsets[i + 1]]`.
    """

    values: np.ndarray | Stream
    offsets: np.ndarray | Stream

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> Ragged:
        """Concatenates `sequences`."""
        lengths = [len(sequence) for sequence in sequences]
        values = np.fromiter((i for sequence in sequences for i in sequence), dtype=np.int32, count=sum(lengths))
        return cls(values, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        start, stop = self.offsets[row : row + 2].tolist()
        return self.values[start:stop]

    def between(self, start: int, stop: int) -> Ragged:
        """The sequences of consecutive rows, in memory."""
        offsets = self.offsets[start : stop + 1].astype(np.int64)
        return Ragged(self.values[int(offsets[0]) : int(offsets[-1])], offsets - offsets[0])

    @property
    def lengths(self) -> np.ndarray:
        """Length of each sequence."""
        lengths, row = np.empty(len(self), np.int32), 0
        for part in self._lengths():
            lengths[row : row + len(part)] = part
            row += len(part)
        return lengths

    @functools.cached_property
    def longest_of_all(self) -> int:
        """Length of the longest sequence; 0 if there is none."""
        return max((int(part.max(initial=0)) for part in self._lengths()), default=0)

    def _lengths(self) -> Iterator[np.ndarray]:
        last = np.empty(0, np.int64)
        for part in _parts(self.offsets):
            ends = np.concatenate([last, part.astype(np.int64)])
            yield np.diff(ends)
            last = ends[-1:]

    def lengths_of(self, rows: np.ndarray) -> np.ndarray:
        """Length of each of these sequences."""
        return (self.offsets[rows + 1] - self.offsets[rows]).astype(np.int64)  # not `lengths`, which takes them all

    def longest(self, rows: np.ndarray) -> int:
        """Length to which `padded` pads these sequences."""
        return int(self.lengths_of(rows).max(initial=1))

    def padded(self, rows: np.ndarray) -> tuple[Int[Tensor, "B L"], Int[Tensor, " B"]]:
        """The sequences `rows`, padded with PAD on the right to the longest of them, and their lengths."""
        starts, lengths = self.offsets[rows].astype(np.int64), self.lengths_of(rows)
        steps = np.arange(lengths.max(initial=1))
        inside = steps < lengths[:, None]
        values = np.full(inside.shape, PAD)
        values[inside] = self.values[(starts[:, None] + steps)[inside]]
        return torch.from_numpy(values.astype(np.int64)), torch.from_numpy(lengths)

    def release(self) -> None:
        """Lets go of what was read of files (see `Stream.release`)."""
        for array in (self.values, self.offsets):
            if isinstance(array, Stream):
                array.release()

    def digest(self, into: hashlib.blake2b) -> None:
        """Adds offsets and values to a hash: the same bytes whether they are in memory or in files."""
        for array, kind in ((self.offsets, "<i8"), (self.values, "<i4")):
            into.update(kind.encode() + len(array).to_bytes(8))
            for part in _parts(array):
                into.update(np.ascontiguousarray(part, kind).data)


def _parts(array: np.ndarray | Stream) -> Iterator[np.ndarray]:
    """An array in parts that fit in memory."""
    return array.scan() if isinstance(array, Stream) else iter([array])


@dataclass(frozen=True)
class Examples(Rows):
    """Pairs of a source and a target (BOS … EOS), in memory or in files.

    Attributes:
        known_fingerprint: what `fingerprint` is to return, if it was computed before.
    """

    source: Ragged
    target: Ragged
    known_fingerprint: str | None = None

    @classmethod
    def of(cls, pairs: Iterable[tuple[Sequence[int], Sequence[int]]]) -> Examples:
        """Examples of pairs of source ids and target ids *without* BOS and EOS, which are added here."""
        sources, targets = [], []
        for source, target in pairs:
            sources.append(source)
            targets.append([BOS, *target, EOS])
        return cls(Ragged.of(sources), Ragged.of(targets))

    def __len__(self) -> int:
        return len(self.source)

    def release(self) -> None:
        """Lets go of what was read of files (see `Stream.release`)."""
        self.source.release()
        self.target.release()

    @property
    def longest_source(self) -> int:
        return self.source.longest_of_all

    @property
    def longest_target(self) -> int:
        return max(1, self.target.longest_of_all) - 1

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        return np.maximum(self.source.lengths_of(rows), self.target.lengths_of(rows))

    def all_lengths(self) -> np.ndarray:
        lengths = self.source.lengths
        np.maximum(lengths, self.target.lengths, out=lengths)
        return lengths.astype(np.min_scalar_type(int(lengths.max(initial=0))))

    def padded_lengths(self, rows: np.ndarray) -> tuple[int, int]:
        real = np.maximum(rows, 0)
        return self.source.longest(real), self.target.longest(real)

    def source_ids(self, row: int) -> np.ndarray:
        return self.source[row]

    def target_ids(self, row: int) -> np.ndarray:
        return self.target[row]

    def batch(self, rows: np.ndarray) -> Batch:
        real = np.maximum(rows, 0)
        source, source_lengths = self.source.padded(real)
        target, target_lengths = self.target.padded(real)
        filler = torch.from_numpy(rows < 0)
        target[filler] = PAD
        target_lengths[filler] = 0
        context_length = torch.ones_like(target_lengths)
        split_rows = torch.from_numpy(rows.astype(np.int64))
        return Batch(source, source_lengths, target, target_lengths, context_length, split_rows)

    def fingerprint(self) -> str:
        if self.known_fingerprint is not None:
            return self.known_fingerprint
        digest = hashlib.blake2b(digest_size=8)  # of whole arrays, so that a million pairs take a fraction of a second
        self.source.digest(digest)
        self.target.digest(digest)
        return digest.hexdigest()
