"""Samplers, which group examples into batches and order them, and a loader that can resume within an epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from seqlab.data.batch import Batch, Rows

SORTED = 1 << 20
"""Rows that are sorted at once."""


class Sampler(ABC):
    """Groups rows into batches and orders them; every epoch has the same number of batches."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The rows of each batch of an epoch; the same for the same epoch."""


class BucketSampler(Sampler):
    """Batches of examples of similar length, so that there is little padding.

    Each epoch divides the examples into pools at random, sorts each pool by the longer side, cuts it into batches and
    shuffles all batches.

    Args:
        lengths: length of each example's longer side.
        batch_size: maximal number of examples per batch.
        batch_tokens: maximal number of positions per batch, padding included, on the longer side (None: no limit). An
            example longer than that is a batch by itself.
        seed: seed of the order; None keeps the sorted order, for evaluation.
        among: the rows to use (None: all).
        pool: batches per pool. None puts all examples into one pool, which needs the least padding and is required for
            `batch_tokens`; 1 makes every batch a random one.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        batch_tokens: int | None = None,
        seed: int | None = None,
        among: np.ndarray | None = None,
        pool: int | None = None,
    ) -> None:
        self._rows = np.arange(len(lengths), dtype=np.int32 if len(lengths) < 1 << 31 else np.int64)
        if among is not None:
            self._rows = among
        self._lengths, self._seed = lengths, seed
        self._cuts = _cuts(np.sort(lengths[self._rows]), batch_size, batch_tokens)
        # A pool is a whole number of batches, so pools end where batches do.
        self._pool = len(self._rows) if pool is None else pool * batch_size

    def __len__(self) -> int:
        return len(self._cuts) + 1 if len(self._rows) else 0

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, as rows of the examples; the same for the same seed and epoch."""
        if not len(self._rows):
            return []
        if self._seed is None:
            return self._split(self._rows)
        generator = np.random.default_rng([self._seed, epoch])
        batches = self._split(generator.permutation(self._rows))
        return [batches[i] for i in generator.permutation(len(batches))]

    def _split(self, rows: np.ndarray) -> list[np.ndarray]:
        ordered = np.empty_like(rows)
        step = max(self._pool, SORTED // self._pool * self._pool)  # whole pools
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            if self._pool > SORTED:
                _sort_by_length(part, self._lengths, ordered[start : start + step])
            else:
                pools = np.arange(len(part)) // self._pool
                ordered[start : start + step] = part[np.lexsort((self._lengths[part], pools))]
        return np.split(ordered, self._cuts)


def _sort_by_length(rows: np.ndarray, lengths: np.ndarray, into: np.ndarray) -> None:
    """Sorts rows by their lengths; rows of equal length keep their order.

    It is a counting sort in parts, because `numpy.argsort` takes 24 bytes a row beside the rows.
    """
    counts = np.zeros(int(lengths.max(initial=0)) + 1, np.int64)
    for start in range(0, len(rows), SORTED):
        counts += np.bincount(lengths[rows[start : start + SORTED]], minlength=len(counts))
    ends = np.cumsum(counts) - counts  # where the next row of each length goes
    for start in range(0, len(rows), SORTED):
        part = rows[start : start + SORTED]
        order = np.argsort(lengths[part], kind="stable")
        here = lengths[part][order].astype(np.int64)
        counts = np.bincount(here, minlength=len(counts))
        firsts = np.cumsum(counts) - counts
        into[ends[here] + np.arange(len(here)) - firsts[here]] = part[order]
        ends += counts


def _cuts(lengths: np.ndarray, batch_size: int, batch_tokens: int | None) -> list[int]:
    """Where the batches after the first begin, along sorted lengths."""
    if batch_tokens is None:
        return list(range(batch_size, len(lengths), batch_size))
    cuts, start = [], 0
    for row, length in enumerate(lengths):
        size = row - start + 1
        if row > start and (size > batch_size or size * length > batch_tokens):
            cuts.append(row)
            start = row
    return cuts


MULTIPLES = (1, 2, 4, 8, 16)
"""To multiples of these lengths are rounded up, of the first that is enough."""

SAMPLED = 2000
"""Batches of an epoch whose shapes or lengths are looked at."""


class BatchLoader:
    """Iterates over the batches of a split, without worker processes; resumable within an epoch.

    Lightning calls `sampler.set_epoch` before an epoch. With several processes, each takes every `world_size`-th row
    of every batch, so that together they process the same batches as a single process.

    Attributes:
        same_order: whether every epoch follows the order of the first.
    """

    batch_sampler = None  # Lightning looks for this attribute if there is a `sampler`

    def __init__(self, split: str, examples: Rows, sampler: Sampler, rank: int = 0, world_size: int = 1) -> None:
        self.split = split
        self._examples, self._batches = examples, sampler
        self._rank, self._world_size = rank, world_size
        self.position = 0  # batches of the epoch that have been yielded
        self.same_order = False
        self._epoch = self._resume_at = 0
        self._multiple = 1

    @property
    def sampler(self) -> BatchLoader:
        """The loader itself, because Lightning calls `sampler.set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch whose order the next iteration follows."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        start, self._resume_at = self._resume_at, 0
        for position, rows in enumerate(self.rows(0 if self.same_order else self._epoch)[start:], start + 1):
            self.position = position
            yield self._batch(rows)

    def rows(self, epoch: int) -> list[np.ndarray]:
        """This process's rows of every batch of an epoch."""
        return [self._share(rows) for rows in self._batches.epoch(epoch)]

    def middle(self) -> Batch:
        """The batch of median length in epoch 0, of at most 2 × `SAMPLED` of them: a typical one."""
        rows = self.rows(0)
        rows = sorted(rows[:: max(1, len(rows) // SAMPLED)], key=lambda one: float(self._examples.lengths(one).mean()))
        return self._batch(rows[len(rows) // 2])

    def round_lengths(self, limit: int) -> tuple[int, int]:
        """Pads batches further, so that those of an epoch have at most `limit` shapes: rows, and lengths of both sides.

        Lengths are rounded up to multiples of one number, but never above the longest of the split.

        Returns:
            the number, and how many shapes there are: more than `limit` where even the largest number leaves more.
        """
        batches = [(len(rows), *self._examples.padded_lengths(rows)) for rows in self.rows(0)[:SAMPLED]]
        for self._multiple in MULTIPLES:
            shapes = {(count, *self._rounded(source, target)) for count, source, target in batches}
            if len(shapes) <= limit:
                break
        return self._multiple, len(shapes)

    def _rounded(self, source: int, target: int) -> tuple[int, int]:
        """Lengths of both sides rounded up; a target is one token longer than what the decoder reads."""
        longest = (max(source, self._examples.longest_source), max(target - 1, self._examples.longest_target))
        source, target = (
            min(-(-length // self._multiple) * self._multiple, most)
            for length, most in zip((source, target - 1), longest, strict=True)
        )
        return source, target + 1

    def _batch(self, rows: np.ndarray) -> Batch:
        batch = self._examples.batch(rows)
        return batch.padded(*self._rounded(batch.source.size(1), batch.target.size(1)))

    def _share(self, rows: np.ndarray) -> np.ndarray:
        if self._world_size == 1:
            return rows
        share = rows[self._rank :: self._world_size]
        return share if len(share) else np.array([-1])

    def resume_at(self, position: int) -> None:
        """Starts the next iteration after `position` batches; if that is all of them, from the beginning."""
        self.position = self._resume_at = position if position < len(self) else 0
