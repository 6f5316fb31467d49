"""What a run and a description show of the examples, so that a wrong column is seen."""

import functools

import pytest

from seqlab.data.batch import Examples
from seqlab.data.text_pairs import TextPairs
from seqlab.data.toy import IntegerPairs
from seqlab.dataset_analysis.first_look import pair_lines, striking_pairs, token_lines, tokens, unknown_line
from seqlab.special_tokens import UNK
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import CharacterTokenizer, SentencePieceTokenizer, WordTokenizer

TRAIN = [
    Pair("go now", "va donc"),
    Pair("stop here", "arrête ici"),
    Pair("a long sentence about nothing at all", "une longue phrase sur rien du tout"),
    Pair("yes", "12345 aaaaaaaaaaaaaaaa"),
    Pair("no one", "per\u0303sonne \N{SNOWMAN}"),
    Pair("stop", "arrête"),
]


class Few(TextPairs):
    def pairs(self):
        return {"train": TRAIN, "val": [Pair("go there", "va là là là")]}


@pytest.fixture
def load(tmp_path):
    def load(tokenizer=WordTokenizer.fit):
        data = Few(tokenizer, cache=tmp_path)
        data.setup("fit")
        return data

    return load


def test_pairs_that_stand_out_are_shown(load):
    assert striking_pairs(load()) == {
        "first": ["go now", "va donc"],
        "longest": [TRAIN[2].source, TRAIN[2].target],
        "lengths differ": ["yes", "12345 aaaaaaaaaaaaaaaa"],
        "rare characters": ["no one", "per\u0303sonne \N{SNOWMAN}"],
    }


def test_of_few_pairs_each_is_shown_once(load, monkeypatch):
    data = load()
    monkeypatch.setattr(data, "training_pairs", lambda _: TRAIN[:2])
    assert striking_pairs(data).keys() == {"first", "longest"}


@pytest.mark.parametrize(
    ("text", "shown"), [("a" * 999, "a" * 59 + "…"), ("한" * 99, "한" * 29 + "…"), ("a" * 60, "a" * 60)]
)
def test_long_texts_are_shortened_to_what_a_terminal_shows(load, monkeypatch, text, shown):
    data = load()
    monkeypatch.setattr(data, "training_pairs", lambda _: [Pair(text, "b")])
    assert striking_pairs(data)["first"] == [shown, "b"]


def test_each_side_is_in_a_line_where_both_are_too_long_for_one(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert pair_lines("first", "Hi.", "مرحبًا.") == ["first            Hi.  →  \u2068مرحبًا.\u2069"]
    assert pair_lines("longest", "a" * 50, "b\t" * 9) == [f"longest          {'a' * 50}", f"{' ' * 14}→  " + "b\\t" * 9]


def test_unknown_tokens_are_a_share_of_each_side(load):
    assert unknown_line(load()) == "train 0%, 0%; val 50%, 75% of source and target tokens"


def test_unknown_tokens_are_counted_all_over_a_split(load, monkeypatch):
    monkeypatch.setattr("seqlab.dataset_analysis.first_look.LOOKED_AT", 2)
    data = load()
    data.examples["val"] = Examples.of([([4], [4])] * 3 + [([UNK], [UNK])] * 3)
    assert unknown_line(data).endswith("; val 50%, 50% of source and target tokens")


@pytest.mark.parametrize(
    ("tokenizer", "first"),
    [
        (WordTokenizer.fit, "go|now  →  <bos>|va|donc|<eos>"),
        (CharacterTokenizer.fit, "g|o|␣|n|o|w  →  <bos>|v|a|␣|d|o|n|c|<eos>"),
        (functools.partial(WordTokenizer.fit, min_frequency=2), "<unk>|<unk>  →  <bos>|<unk>|<unk>|<eos>"),
    ],
)
def test_two_examples_are_shown_as_tokens(load, tokenizer, first):
    lines = token_lines(load(tokenizer))
    assert lines[0] == first
    assert len(lines) == 2


def test_each_token_has_a_direction_of_its_own():
    tokenizer = WordTokenizer.fit(["يجب أن go"])
    assert tokens(tokenizer, tokenizer.encode("يجب go أن")) == "\u2068يجب\u2069|go|\u2068أن\u2069"


def test_pieces_of_words_show_where_words_begin(load):
    tokenizer = functools.partial(SentencePieceTokenizer.fit, vocabulary_size=300)
    source = token_lines(load(tokenizer))[0].partition("  →  ")[0]
    assert source.replace("|", "").replace("▁", " ").strip() == "go now"
    assert "▁n" in source


def test_integers_and_single_examples_are_shown(tmp_path):
    data = IntegerPairs([("1 2 3", "3 2 1")], cache=tmp_path)
    data.setup("fit")
    assert token_lines(data) == ["1|2|3  →  <bos>|3|2|1|<eos>"]
    assert unknown_line(data).startswith("train 0%, 0%; val")
