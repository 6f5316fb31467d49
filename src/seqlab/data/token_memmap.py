"""Token ids in memory-mapped files: written in one pass, read at any position, without a limit on their number."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal

import numpy as np

from seqlab.errors import InputError
from seqlab.identity import fingerprint

SHARD = 1 << 26
"""Ids per file."""
INDEX = "index.json"
SCANNED = 1 << 19
"""Ids that a scan reads at once."""


class ShardWriter:
    """Writes ids below `size` into a folder, as files of `shard` ids each (the last may be shorter).

    Ids are stored in the smallest unsigned integer type that fits them. The index is written when the `with` block
    ends; use `cached`, so that no folder without an index is left behind.
    """

    def __init__(self, folder: Path, size: int, shard: int = SHARD) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._shard = folder, shard
        self._type = np.min_scalar_type(size - 1).newbyteorder("<")
        self._file: BinaryIO | None = None
        self._digest = hashlib.blake2b(digest_size=8)
        self.length = 0

    def add(self, ids: Sequence[int] | np.ndarray) -> None:
        """Appends ids.

        Raises:
            OverflowError: one is too large for the type.
        """
        values = np.asarray(ids, dtype=self._type)
        while len(values):
            number, inside = divmod(self.length, self._shard)
            if not inside:
                self._close()
                self._file = (self._folder / _name(number)).open("wb")
            assert self._file is not None
            part, values = values[: self._shard - inside], values[self._shard - inside :]
            self._file.write(content := part.tobytes())
            self._digest.update(content)
            self.length += len(part)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()
        if error is None:
            index = {"type": self._type.str, "length": self.length, "shard": self._shard}
            index["digest"] = self._digest.hexdigest()
            (self._folder / INDEX).write_text(json.dumps(index), encoding="utf-8")


class Stream:
    """The ids that a `ShardWriter` wrote: `len(stream)`, and `stream[start:stop]` or `stream[positions]` as an array.

    Files are memory-mapped: parts that were read stay in memory only as long as the system has room for them.

    Raises:
        InputError: the length of a file differs from what the index says.
    """

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        self._length, self._shard = int(index["length"]), int(index["shard"])
        self.dtype, self._digest = np.dtype(index["type"]), str(index["digest"])
        self._maps, self._shards = [], []
        for number, start in enumerate(range(0, self._length, self._shard)):
            file, size = folder / _name(number), min(self._shard, self._length - start)
            if file.stat().st_size != size * self.dtype.itemsize:
                raise InputError(f"{file}: its length differs from {INDEX} beside it; delete the folder to rebuild it")
            with file.open("rb") as opened:
                self._maps.append(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
            self._shards.append(np.frombuffer(self._maps[-1], self.dtype))

    def __len__(self) -> int:
        return self._length

    def fingerprint(self) -> str:
        """A short hash of the ids, computed when they were written, because a stream may be larger than memory."""
        return fingerprint([self._digest, self.dtype.str, len(self)])

    def first(self, length: int) -> Stream:
        """The first `length` ids of the stream."""
        part = object.__new__(Stream)
        part.__dict__ = {**self.__dict__, "_length": min(length, self._length)}
        return part

    def __getitem__(self, positions: slice | np.ndarray) -> np.ndarray:
        if not isinstance(positions, slice):
            return self._at(positions)
        start, stop, step = positions.indices(self._length)
        if step != 1:
            raise ValueError(f"the step of a slice must be 1, but is {step}")
        parts = [np.empty(0, self.dtype)]
        while start < stop:
            number, inside = divmod(start, self._shard)
            part = self._shards[number][inside : inside + stop - start]
            parts.append(part)
            start += len(part)
        return np.concatenate(parts)

    def _at(self, positions: np.ndarray) -> np.ndarray:
        if len(self._shards) == 1:
            return self._shards[0][positions]
        numbers, inside = np.divmod(positions, self._shard)
        values = np.empty(np.shape(positions), self.dtype)
        for number in np.unique(numbers):
            here = numbers == number
            values[here] = self._shards[number][inside[here]]
        return values

    def searchsorted(self, value: np.generic, side: Literal["left", "right"]) -> int:
        """Where a value belongs in a stream in ascending order (see `numpy.searchsorted`)."""
        for number, shard in enumerate(self._shards):
            if shard[-1] > value or (side == "left" and shard[-1] == value):
                return number * self._shard + int(shard.searchsorted(value, side))
        return self._length

    def scan(self) -> Iterator[np.ndarray]:
        """All ids in order, part by part; what was read does not stay in memory."""
        for start in range(0, self._length, SCANNED):
            yield self[start : min(start + SCANNED, self._length)]
            self.release()

    def release(self) -> None:
        """Lets go of what was read of the files, which else counts as this process's memory while there is room."""
        for one in self._maps:
            one.madvise(mmap.MADV_DONTNEED)


def _name(number: int) -> str:
    return f"{number:05}.bin"
