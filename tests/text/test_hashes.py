import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.text.hashes import folded, hashed_texts, hashed_windows

SEQUENCES = st.lists(st.lists(st.integers(0, 3), max_size=7), max_size=9)


def hashed(sequences, size, dtype=np.int32):
    values = np.array([i for sequence in sequences for i in sequence], dtype=dtype)
    return hashed_windows(values, np.cumsum([0, *map(len, sequences)]), size)


def windows(sequences, size):
    return [
        (tuple(sequence[at : at + size]), row)
        for row, sequence in enumerate(sequences)
        for at in range(len(sequence) - size + 1)
    ]


@given(SEQUENCES, st.integers(1, 5))
def test_windows_have_the_same_hash_if_and_only_if_they_are_the_same(sequences, size):
    hashes, rows = hashed(sequences, size)
    expected = windows(sequences, size)
    assert rows.tolist() == [row for _, row in expected]
    different = {window for window, _ in expected}
    assert len(set(hashes.tolist())) == len(different)
    assert len({(window, code) for (window, _), code in zip(expected, hashes.tolist(), strict=True)}) == len(different)


@pytest.mark.parametrize("dtype", [np.uint16, np.int64])
def test_a_hash_is_of_the_ids_and_not_of_how_they_are_stored(dtype):
    np.testing.assert_array_equal(hashed([[7, 300, 5]], 2)[0], hashed([[7, 300, 5]], 2, dtype)[0])


def test_many_windows_have_as_many_hashes():
    values = np.random.default_rng(3).integers(0, 5, 100_003)
    hashes, _ = hashed_windows(values, np.array([0, len(values)]), 10)
    different = len(np.unique(np.lib.stride_tricks.sliding_window_view(values, 10), axis=0))
    assert len(np.unique(hashes)) == different


def test_texts_have_the_same_hash_if_they_are_the_same():
    first, second, third = hashed_texts(["one", "two", "one"])
    assert first == third != second
    assert hashed_texts([]).shape == (0,)
    assert hashed_texts(["\ud800"]).shape == (1,)  # no valid Unicode, but a text


def test_case_and_spaces_do_not_count():
    assert folded("  Der\tSTRASSE \n lang ") == folded("der straße lang")
    assert folded("a b") != folded("ab")
