import functools
from collections.abc import Iterable

import numpy as np
import pytest

from seqlab.data.text_pairs import TextPairs
from seqlab.errors import InputError
from seqlab.special_tokens import BOS, EOS, UNK
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import CharacterTokenizer, SentencePieceTokenizer, WordTokenizer

PAIRS = {
    "train": [Pair("a b", "A B"), Pair("c", "C"), Pair("a b", "B A")],
    "val": [Pair("d c", "D"), Pair("c d", "C D"), Pair("d c", "E")],
}


class FewPairs(TextPairs):
    """Pairs from memory: all that a user's dataset has to implement."""

    def __init__(self, tokenizer, pairs=PAIRS, **loading):
        super().__init__(tokenizer, **loading)
        self._pairs = pairs
        self.times_read = 0

    def pairs(self) -> dict[str, list[Pair]]:
        self.times_read += 1
        return self._pairs


class Shouting(CharacterTokenizer):
    """A user's tokenizer that inherits its `fit`."""

    def decode(self, ids: Iterable[int]) -> str:
        return super().decode(ids) + "!"


@pytest.fixture
def load(tmp_path):
    def load(tokenizer=CharacterTokenizer.fit, *arguments, **settings) -> FewPairs:
        data = FewPairs(tokenizer, *arguments, cache=tmp_path, **settings)
        data.prepare_data()
        data.setup("fit")
        return data

    return load


def folders(tmp_path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()}


def test_pairs_are_encoded_and_targets_get_bos_and_eos(load):
    data = load()
    assert data.splits == ["train", "val"]
    assert (data.source_size, data.target_size) == (4 + 4, 4 + 4)  # " abc" and " ABC"
    train = data.examples["train"]
    assert [train.source[row].tolist() for row in range(3)] == [[5, 4, 6], [7], [5, 4, 6]]
    assert [train.target[row].tolist() for row in range(3)] == [[BOS, 5, 4, 6, EOS], [BOS, 7, EOS], [BOS, 6, 4, 5, EOS]]


def test_tokenizers_are_learnt_from_the_training_split_only(load):
    data = load()
    assert data.examples["val"].source[0].tolist() == [UNK, 4, 7]
    assert data.examples["val"].target[0].tolist() == [BOS, UNK, EOS]


def test_each_side_has_its_own_tokenizer(load):
    data = load(WordTokenizer.fit)
    assert data.source_tokenizer.decode([4, 5, 6]) == "a b c"
    assert data.target_tokenizer.decode([4, 5, 6]) == "A B C"


def test_references_are_all_translations_of_the_source_the_pairs_target_first(load):
    train = [Pair("a b", "A B", ("X", "A B")), Pair("c", "C", ("Y",)), Pair("a b", "B A")]
    data = load(CharacterTokenizer.fit, {**PAIRS, "train": train})
    assert [data.source_text("train", row) for row in range(3)] == ["a b", "c", "a b"]
    assert list(data.references("train", 0)) == ["A B", "X", "B A"]
    assert list(data.references("train", 1)) == ["C", "Y"]
    assert list(data.references("train", 2)) == ["B A", "A B", "X"]
    assert list(data.references("val", 2)) == ["E", "D"]


def test_training_pairs_are_the_training_split_as_text(load):
    assert load().training_pairs() == PAIRS["train"]
    many = [Pair(str(i), str(-i)) for i in range(100)]
    assert load(CharacterTokenizer.fit, {"train": many}).training_pairs(30) == many[::4]


def test_each_source_is_generated_from_once(load):
    data = load()
    assert data.rows_to_generate("train").tolist() == [True, True, False]
    assert data.rows_to_generate("val").tolist() == [True, True, False]


def test_a_source_that_begins_like_another_is_a_different_one(load):
    data = load(CharacterTokenizer.fit, {"train": [Pair("a", "b"), Pair("a b", "b"), Pair("a", "c")]})
    assert data.rows_to_generate("train").tolist() == [True, True, False]


@pytest.mark.parametrize(
    "tokenizer",
    [
        CharacterTokenizer.fit,
        functools.partial(WordTokenizer.fit, lower=True),
        functools.partial(SentencePieceTokenizer.fit, vocabulary_size=300),
    ],
    ids=["character", "word", "sentencepiece"],
)
def test_the_cache_returns_what_was_computed(load, tokenizer, tmp_path):
    first, again = load(tokenizer), load(tokenizer)
    assert len(folders(tmp_path)) == 1
    for split in first.splits:
        for side in ("source", "target"):
            one, other = (getattr(data.examples[split], side) for data in (first, again))
            np.testing.assert_array_equal(one.values[:], other.values[:])
            np.testing.assert_array_equal(one.offsets[:], other.offsets[:])
    assert first.source_tokenizer.state() == again.source_tokenizer.state()
    assert first.target_tokenizer.state() == again.target_tokenizer.state()
    assert list(first.references("train", 0)) == list(again.references("train", 0))


def test_the_second_time_nothing_is_fitted(load):
    def fit(texts: Iterable[str]) -> CharacterTokenizer:
        calls.append(list(texts))
        return CharacterTokenizer.fit(calls[-1])

    calls: list[list[str]] = []
    data = load(fit)
    data.prepare_data()
    data.setup("test")
    load(fit)
    assert calls == [["a b", "c", "a b"], ["A B", "C", "B A"]]


def test_setup_without_prepare_data_is_enough(tmp_path):
    data = FewPairs(CharacterTokenizer.fit, cache=tmp_path)
    data.setup("fit")
    assert len(data.examples["train"]) == 3


@pytest.mark.parametrize(
    ("tokenizer", "pairs"),
    [
        (WordTokenizer.fit, PAIRS),
        (functools.partial(WordTokenizer.fit, lower=True), PAIRS),
        (functools.partial(WordTokenizer.fit, min_frequency=2), PAIRS),
        (CharacterTokenizer.fit, {"train": PAIRS["train"]}),
        (CharacterTokenizer.fit, {**PAIRS, "train": PAIRS["train"][:2]}),
        (CharacterTokenizer.fit, {"train": PAIRS["val"], "val": PAIRS["train"]}),
    ],
)
def test_another_tokenizer_setting_or_text_is_another_folder(load, tmp_path, tokenizer, pairs):
    load()
    before = folders(tmp_path)
    load(tokenizer, pairs)
    assert len(folders(tmp_path) - before) == 1


def test_a_tokenizer_that_inherits_its_fit_is_another_tokenizer(load):
    load(CharacterTokenizer.fit)
    assert isinstance(load(Shouting.fit).source_tokenizer, Shouting)


@pytest.mark.parametrize("pairs", [{}, {"train": []}, {"train": [], "val": PAIRS["val"]}])
def test_no_training_pairs_are_an_error_and_leave_no_folder(load, tmp_path, pairs):
    with pytest.raises(InputError, match="no training pairs"):
        load(CharacterTokenizer.fit, pairs)
    assert folders(tmp_path) == set()


def test_an_empty_split_is_left_out(load):
    assert load(CharacterTokenizer.fit, {**PAIRS, "val": [], "test": PAIRS["val"]}).splits == ["train", "test"]


def test_as_many_training_rows_are_evaluated_as_validation_has(load):
    many = [Pair(f"a{i}", f"A{i}") for i in range(17)]
    data = load(CharacterTokenizer.fit, {"train": many, "val": many[:5]})
    rows = data.eval_rows("train")
    assert 1 < len(rows) <= 5
    assert len(set(np.diff(rows))) == 1, "evenly spread"
    assert data.eval_rows("val").tolist() == [0, 1, 2, 3, 4]
    batches = list(data.evaluation_loader("train"))
    assert sorted(row for batch in batches for row in batch.rows.tolist()) == rows.tolist()


def test_normalisation_is_chosen_and_holds_for_all_texts(load):
    pairs = {"train": [Pair("ｶﾞ", "ﬁn", ("ﬁ",))], "val": [Pair("ﾊﾟ", "ﬂ")]}
    data = load(CharacterTokenizer.fit, pairs, normalisation="NFKC")
    assert data.source_text("train", 0) == "ガ"
    assert list(data.references("train", 0)) == ["fin", "fi"]
    assert data.source_tokenizer.read("ｶﾞ") == data.examples["train"].source[0].tolist()
    assert load(CharacterTokenizer.fit, pairs).source_text("train", 0) == "ｶﾞ"


def test_one_side_is_lower_cased_as_in_turkish(load):
    pairs = {"train": [Pair("I SIT", "Isparta İÇİN", ("IĞDIR",))]}
    data = load(CharacterTokenizer.fit, pairs, lower_turkish="target")
    assert data.source_text("train", 0) == "I SIT"
    assert list(data.references("train", 0)) == ["ısparta için", "ığdır"]
    assert data.target_tokenizer.read("Iı") == data.target_tokenizer.read("ıı")
    with pytest.raises(ValueError, match="must be both or null with shared_vocabulary, but is target"):
        load(CharacterTokenizer.fit, pairs, lower_turkish="target", shared_vocabulary=True)


def test_the_forms_of_both_sides_are_part_of_the_cache(load, tmp_path):
    for settings in ({}, {"normalisation": "NFKC"}, {"lower_turkish": "both"}):
        load(**settings)
    assert len(folders(tmp_path)) == 3
