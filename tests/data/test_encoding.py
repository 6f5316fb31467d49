import pytest

from seqlab.data.encoding import Counts, write_stream
from seqlab.data.token_memmap import Stream
from seqlab.special_tokens import BOS, EOS, UNK
from seqlab.text.tokenizers import ByteTokenizer, CharacterTokenizer, WordTokenizer

LETTERS = CharacterTokenizer(["a", "b", "\n", "é"])
A, B, LINE, E = 4, 5, 6, 7


@pytest.mark.parametrize(
    ("boundaries", "ids", "counts"),
    [
        ("sentence", [BOS, A, B, EOS, BOS, B, EOS, BOS, E, EOS], Counts(3, 2 + 1 + 2 + 3, 0)),
        ("document", [BOS, A, B, B, EOS, BOS, E, EOS], Counts(3, 5, 0)),
        ("none", [BOS, A, B, B, LINE, LINE, E], Counts(3, 7, 0)),
    ],
)
def test_a_stream_computed_by_hand(tmp_path, boundaries, ids, counts):
    assert write_stream(tmp_path, iter([["ab", "b"], ["é"]]), LETTERS, boundaries) == counts
    assert Stream(tmp_path)[:].tolist() == ids


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        ([["a"], ["b"]], "a\n\nb"),
        ([["a\n"], ["b"]], "a\n\nb"),
        ([["a", "\n", "\n"], ["b", "b"]], "a\n\nbb"),
        ([["a\n\n\n"], ["b"]], "a\n\n\nb"),
        ([["\na"]], "\na"),
    ],
)
def test_a_blank_line_separates_runs_and_text_is_kept_as_it_is(tmp_path, runs, text):
    write_stream(tmp_path, runs, LETTERS, "none")
    assert LETTERS.decode(Stream(tmp_path)[:].tolist()) == text


def test_unknown_ids_are_counted_and_their_bytes_are_not(tmp_path):
    counts = write_stream(tmp_path, [["aéx", "ü"]], LETTERS, "document")
    assert counts == Counts(units=2, bytes=1 + 2, unknown=2)
    assert Stream(tmp_path)[:].tolist() == [BOS, A, E, UNK, UNK, EOS]


def test_bytes_are_counted_before_lower_casing(tmp_path):
    words = WordTokenizer.fit(["İstanbul"], lower=True)
    assert write_stream(tmp_path, [["İstanbul"]], words, "document").bytes == len("İstanbul".encode()) == 9


def test_without_text_there_are_no_units(tmp_path):
    assert write_stream(tmp_path, [], ByteTokenizer(), "none") == Counts(0, 0, 0)
    assert Stream(tmp_path)[:].tolist() == [BOS]
