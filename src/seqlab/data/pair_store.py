"""Sentence pairs in files: written in one pass, read at any position, found by their source.

Beside a few pairs at a time nothing of them is in memory, however many there are.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from seqlab.data.token_memmap import ShardWriter, Stream
from seqlab.text.hashes import hashed_texts
from seqlab.text.pairs import Pair

CHUNK = 4096
"""Pairs that are written or read at once."""
BUCKET = 1 << 20
"""About so many hashes are sorted at once."""
POSITIONS = 1 << 63
"""Above every position in a file."""
TEXTS, DIGEST = "pairs.jsonl", "digest.txt"
_CODING = ("utf-8", "surrogatepass")
_write = json.JSONEncoder(ensure_ascii=False).encode


def write_pairs(folder: Path, pairs: Iterable[Pair]) -> int:
    """Writes pairs into a folder that `PairStore` reads.

    Returns:
        how many there are.
    """
    folder.mkdir(parents=True)
    iterator, end, digest = iter(pairs), 0, hashlib.blake2b(digest_size=8)
    with (
        (folder / TEXTS).open("wb") as file,
        ShardWriter(folder / "ends", POSITIONS) as ends,
        ShardWriter(folder / "unsorted", 1 << 64) as hashes,
    ):
        while chunk := list(islice(iterator, CHUNK)):
            lines = [f"{_write([p.source, p.target, *p.alternatives])}\n".encode(*_CODING) for p in chunk]
            file.write(data := b"".join(lines))
            digest.update(data)
            ends.add(end + np.cumsum([len(line) for line in lines]))
            end += sum(map(len, lines))
            hashes.add(hashed_texts([pair.source for pair in chunk]))
    (folder / DIGEST).write_text(digest.hexdigest(), encoding="ascii")
    _sort(Stream(folder / "unsorted"), folder)
    shutil.rmtree(folder / "unsorted")
    return ends.length


def _sort(hashes: Stream, folder: Path) -> None:
    """Writes hashes in order, each with its row; of equal ones the first row comes first."""
    bits = max(0, len(hashes) // BUCKET).bit_length()
    with ShardWriter(folder / "hashes", 1 << 64) as ordered, ShardWriter(folder / "rows", max(2, len(hashes))) as rows:
        for bucket in range(1 << bits):
            inside, values, start = [], [], 0
            for part in hashes.scan():
                chosen = np.flatnonzero(part >> np.uint64(64 - bits) == bucket) if bits else np.arange(len(part))
                inside.append(start + chosen)
                values.append(part[chosen])
                start += len(part)
            found = np.concatenate([np.empty(0, np.uint64), *values])
            order = np.argsort(found, kind="stable")
            ordered.add(found[order])
            rows.add(np.concatenate([np.empty(0, np.int64), *inside])[order])


class PairStore:
    """The pairs that `write_pairs` wrote: `len(store)`, and `store[row]`.

    Attributes:
        digest: a hash of all pairs.
    """

    def __init__(self, folder: Path) -> None:
        self.digest = (folder / DIGEST).read_text(encoding="ascii")
        with (folder / TEXTS).open("rb") as file:
            self._texts = (
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if os.fstat(file.fileno()).st_size else None
            )
        self._ends, self._hashes, self._rows = (Stream(folder / name) for name in ("ends", "hashes", "rows"))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, row: int) -> Pair:
        [pair] = self._between(row, row + 1)
        return pair

    def read(self, rows: np.ndarray) -> list[Pair]:
        """The pairs of ascending rows; rows that lie close together are read at once."""
        if not len(rows):
            return []
        first, last = int(rows[0]), int(rows[-1])
        if last - first < 4 * len(rows):
            pairs = self._between(first, last + 1)
            return pairs if len(pairs) == len(rows) else [pairs[i] for i in (rows - first).tolist()]
        return [self[row] for row in rows.tolist()]

    def _between(self, start: int, stop: int) -> list[Pair]:
        ends = self._ends[max(0, start - 1) : stop].tolist()
        assert self._texts is not None
        lines = self._texts[0 if start == 0 else ends[0] : ends[-1]].decode(*_CODING).removesuffix("\n")
        records = json.loads("[" + lines.replace("\n", ",") + "]")
        return [Pair(source, target, tuple(others)) for source, target, *others in records]

    def chunks(self) -> Iterator[list[Pair]]:
        """All pairs, a few at a time; what was read does not stay in memory."""
        for start in range(0, len(self), CHUNK):
            yield self._between(start, min(start + CHUNK, len(self)))
            self.release()

    def rows_of(self, source: str) -> list[int]:
        """The rows of all pairs with this source, in order."""
        [value] = hashed_texts([source])
        start, stop = self._hashes.searchsorted(value, "left"), self._hashes.searchsorted(value, "right")
        rows = self._rows[start:stop].tolist()
        return [row for row in rows if self[row].source == source]

    def groups(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All rows, with those of the same source next to one another and in order, and a number for each source (the
        hash of it), in parts that divide no source.
        """
        held = np.empty(0, np.uint64), np.empty(0, np.int64)
        for part in zip(self._hashes.scan(), self._rows.scan(), strict=True):
            values, rows = (np.concatenate(both) for both in zip(held, part, strict=True))
            cut = int(np.searchsorted(values, values[-1])) if len(values) else 0
            yield values[:cut], rows[:cut]
            held = values[cut:], rows[cut:]
        yield held

    def release(self) -> None:
        """Lets go of the parts of files that were read into memory."""
        self._ends.release()
        if self._texts is not None:
            self._texts.madvise(mmap.MADV_DONTNEED)
