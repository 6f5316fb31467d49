import numpy as np
import pytest

from seqlab.data import passages as module
from seqlab.data.batch import Examples, Ragged, Rows
from seqlab.data.module import SequenceData
from seqlab.data.passages import passages_of
from seqlab.data.reversal import Reversal
from seqlab.data.text_pairs import TextPairs
from seqlab.data.toy import IntegerPairs
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import CharacterTokenizer, IntegerTokenizer, WordTokenizer


def lists(ragged):
    return [ragged[row].tolist() for row in range(len(ragged))]


class Pairs(TextPairs):
    def pairs(self):
        return {"train": [Pair("Go there.", "Va là."), Pair("Oh!", "Oh !")], "val": [Pair("Go  now.", "Va.")]}


def loaded(data: SequenceData) -> SequenceData:
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize("chunk", [1, 2, 5, 7])
def test_chunks_hold_every_row_once_and_in_order(monkeypatch, chunk):
    monkeypatch.setattr(module, "CHUNK", chunk)
    rows = [[1, 7, 2], [], [1, 2], [8, 9, 7], [0]]
    parts = list(passages_of(Ragged.of(rows).__getitem__, len(rows), str, {0, 1, 2}))
    assert [tokens for part in parts for tokens in lists(part.tokens)] == [[7], [], [], [8, 9, 7], []]
    assert [text for part in parts for text in part.sentences] == ["0", "1", "2", "3", "4"]
    assert all(part.tokens.offsets[0] == 0 and len(part.sentences) <= chunk for part in parts)


def test_no_rows_are_no_chunks():
    assert list(passages_of(Ragged.of([]).__getitem__, 0, str, {0})) == []


def test_pairs_have_two_sides_as_they_were_written(tmp_path):
    (sides,) = loaded(Pairs(WordTokenizer.fit, cache=tmp_path)).passages("train")
    assert {name: part.sentences for name, part in sides.items()} == {
        "sources": ["Go there.", "Oh!"],
        "targets": ["Va là.", "Oh !"],
    }
    assert [len(tokens) for tokens in lists(sides["targets"].tokens)] == [3, 2]  # without a frame


def test_reversals_have_one_side_without_filler():
    data = loaded(Reversal(samples=20, max_length=4, fill=True))
    (sides,) = data.passages("val")
    part = sides["sequences"]
    assert part.sentences == [" ".join(str(i - 3) for i in tokens) for tokens in lists(part.tokens)]
    assert {len(tokens) for tokens in lists(part.tokens)} == {1, 2, 3, 4}


class Numbered(Rows):
    """Rows that are nowhere but in their numbers, without sources."""

    longest_source, longest_target = 0, 2

    def __len__(self):
        return 5

    def lengths(self, rows):
        return np.full(len(rows), 2)

    def padded_lengths(self, rows):
        return 1, 2

    def source_ids(self, row):
        return np.empty(0, np.int32)

    def target_ids(self, row):
        return np.array([4 + row, 5 + row])

    def batch(self, rows):
        raise AssertionError("nobody asks for a batch")


class Streamed(SequenceData):
    def load(self):
        self.source_tokenizer = self.target_tokenizer = IntegerTokenizer(0, 9, 2)
        self.examples = {"train": Numbered(), "val": Numbered()}


def test_rows_of_any_kind_are_read_and_empty_sources_are_no_side():
    data = loaded(Streamed())
    (sides,) = data.passages("val")
    assert list(sides) == ["targets"]
    assert sides["targets"].sentences == ["0 1", "1 2", "2 3", "3 4", "4 5"]
    assert data.content_key() == loaded(Streamed()).content_key()


def test_other_examples_have_another_key(tmp_path):
    def toy(*pairs):
        return loaded(IntegerPairs(pairs))

    keys = {
        toy(["1 2", "2 1"]).content_key(),
        toy(["1 2", "2 1"], ["3", "3"]).content_key(),
        toy(["1", "2 2 1"]).content_key(),
        toy(["1 2 2", "1"]).content_key(),
        loaded(IntegerPairs([["2 3", "3 2"]], smallest=1)).content_key(),  # the ids of the first
        loaded(Pairs(WordTokenizer.fit, cache=tmp_path)).content_key(),
        loaded(Pairs(CharacterTokenizer.fit, cache=tmp_path)).content_key(),
    }
    assert len(keys) == 7
    assert toy(["1 2", "2 1"]).content_key() in keys


def test_the_same_ids_in_other_splits_have_another_key():
    class Splits(SequenceData):
        def __init__(self, **examples):
            super().__init__()
            self.examples = examples
            self.source_tokenizer = self.target_tokenizer = IntegerTokenizer(0, 9, 3)

        def load(self):
            raise AssertionError("there is nothing to load")

    one, other = Examples.of([([4], [4])]), Examples.of([([5], [5])])
    keys = [Splits(train=a, val=b).content_key() for a, b in ((one, other), (other, one))]
    assert keys[0] != keys[1]
    assert keys[0] == Splits(train=one, val=other).content_key()
    assert Splits(train=one, test=other).content_key() not in keys
