"""Pairs in files are those that were written, whatever is in them, and are found by their source."""

import numpy as np
import pytest

from seqlab.data import pair_store
from seqlab.data.pair_store import PairStore, write_pairs
from seqlab.text.hashes import hashed_texts
from seqlab.text.pairs import Pair

PAIRS = [Pair(f"source {i % 37}", f"target {i}", ("or", f"{i}") if i % 5 == 0 else ()) for i in range(101)]
STRANGE = [Pair('"a"\n', "b\\\t\u2028"), Pair("\0", "été 🎉"), Pair("\ud800", "half of a pair"), Pair(",", "\\n")]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes pairs, with so few at once that there are many parts."""
    monkeypatch.setattr(pair_store, "CHUNK", 7)
    monkeypatch.setattr(pair_store, "BUCKET", 13)
    monkeypatch.setattr("seqlab.data.token_memmap.SCANNED", 11)

    def write(pairs):
        assert write_pairs(tmp_path / "store", iter(pairs)) == len(pairs)
        return PairStore(tmp_path / "store")

    return write


@pytest.mark.parametrize("pairs", [PAIRS, STRANGE, PAIRS[:1], PAIRS[:7]], ids=["many", "strange", "one", "a part"])
def test_pairs_are_read_as_they_were_written(write, pairs):
    store = write(pairs)
    assert len(store) == len(pairs)
    assert [store[row] for row in range(len(pairs))] == pairs
    assert [pair for chunk in store.chunks() for pair in chunk] == pairs


@pytest.mark.parametrize("rows", [[], [3], [0, 1, 2], [5, 7, 8], [0, 50, 100], list(range(101))], ids=str)
def test_ascending_rows_are_read_whether_close_or_not(write, rows):
    assert write(PAIRS).read(np.array(rows, dtype=np.int64)) == [PAIRS[row] for row in rows]


def test_pairs_are_found_by_their_source(write):
    store = write(PAIRS)
    for source in {pair.source for pair in PAIRS}:
        assert store.rows_of(source) == [row for row, pair in enumerate(PAIRS) if pair.source == source]
    assert store.rows_of("another") == []


def test_sources_with_the_same_hash_are_told_apart(write, monkeypatch):
    monkeypatch.setattr(pair_store, "hashed_texts", lambda texts: np.zeros(len(texts), np.uint64))
    store = write(PAIRS)
    assert store.rows_of("source 3") == [3, 40, 77]


def test_groups_hold_every_row_once_and_divide_no_source(write):
    parts = list(write(PAIRS).groups())
    rows = np.concatenate([rows for _, rows in parts]).tolist()
    assert sorted(rows) == list(range(len(PAIRS)))
    hashes = hashed_texts([PAIRS[row].source for row in rows])
    assert np.concatenate([numbers for numbers, _ in parts]).tolist() == hashes.tolist() == sorted(hashes.tolist())
    for source in {pair.source for pair in PAIRS}:
        inside = [row for row in rows if PAIRS[row].source == source]
        assert inside == sorted(inside)
        assert sum(any(PAIRS[row].source == source for row in part) for _, part in parts) == 1


def test_no_pairs_are_a_store_of_none(write):
    store = write([])
    assert (len(store), list(store.chunks()), store.rows_of("a")) == (0, [], [])
    assert sum(len(rows) for _, rows in store.groups()) == 0


def test_the_digest_is_that_of_the_pairs(write, tmp_path):
    digest = write(PAIRS).digest
    write_pairs(tmp_path / "same", PAIRS)
    write_pairs(tmp_path / "other", [*PAIRS[:-1], Pair("a", "b")])
    assert PairStore(tmp_path / "same").digest == digest != PairStore(tmp_path / "other").digest
