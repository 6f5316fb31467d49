"""Words and marks are joined as people write them."""

import gzip
import json
import zipfile

import pytest
import sacrebleu

from seqlab.special_tokens import UNK
from seqlab.text.incremental_detokenizer import GrowingText
from seqlab.text.tokenizers import UNKNOWN, WordTokenizer, from_json, to_json, words_and_marks
from seqlab.text.tokenizers.spacing import Spacing

ENGLISH = [
    "A man in a T-shirt (blue) rides; it's 3.5 km, or 10,000 feet.",
    'She said, "Go home!" and then: "Stay."',
    "A well-known dog - a black one - runs.",
    "The dogs' tails wag at an up-to-date sign.",
    "Two men cost $5 & more, less, or none...",
]
FRENCH = [
    "Qu'est-ce que c'est\u202f?",
    "Il dit : « Va-t'en\xa0! »",
    "Aujourd’hui, l’homme (là-bas) court.",
    "Qu'est-ce que tu veux\u202f?",
]
GERMAN = ["Er sagt: „Los!“, und geht.", "Ein T-Shirt und eine U-Bahn, z.B. blau.", "Das ist’s."]
OTHERS = [
    "هل أنت بخير؟ نعم، شكرا.",
    "안녕하세요, 잘 지내요?",
    "यह क्या है? मैं ठीक हूँ।",
    "ฉันสบายดี (มาก)",
    "你好，世界！他说：“好。”",
]


def _again(tokenizer, text):
    """A text through its tokenizer, as if every word were in the vocabulary."""
    unknown = [word for word in tokenizer.split(text) if word not in tokenizer.symbols]
    return tokenizer.decode(tokenizer.encode(text), unknown)


@pytest.mark.parametrize("texts", [ENGLISH, FRENCH, GERMAN, OTHERS], ids=["english", "french", "german", "others"])
def test_texts_survive_encoding_and_decoding(texts):
    tokenizer = from_json(json.loads(json.dumps(to_json(WordTokenizer.fit(texts)))))
    assert [tokenizer.decode(tokenizer.encode(text)) for text in texts] == texts


def test_unseen_pairs_are_joined_as_their_marks_usually_are():
    tokenizer = WordTokenizer.fit(ENGLISH)
    for text in ('A "dog" (blue)!', "It's home-known; go..."):
        assert _again(tokenizer, text) == text


def test_the_vocabulary_has_only_words_and_marks():
    tokenizer = WordTokenizer.fit(["a-b c", "c d-e"], lower=True)
    assert tokenizer.symbols == ["-", "c", "a", "b", "d", "e"]


def test_a_word_may_be_an_exception():
    tokenizer = WordTokenizer.fit(["one - two - three", "four - five - six", "T-shirt", "a T-shirt"])
    assert tokenizer.decode(tokenizer.encode("T-shirt - one")) == "T-shirt - one"


def test_several_spaces_and_line_ends_become_one_space():
    tokenizer = WordTokenizer.fit(["one  two", "a,\nb", "a,\nc"])
    assert tokenizer.decode(tokenizer.encode("two a,\nb")) == "two a, b"


def test_words_that_no_pattern_separates_are_joined():
    texts = ["今天天气很好，我们去学校。", "他很好。"]
    tokenizer = WordTokenizer.fit(texts, pattern=r"\p{Han}|\w+|[^\w\s]")
    assert tokenizer.size > 15
    assert [tokenizer.decode(tokenizer.encode(text)) for text in texts] == texts


def test_the_order_of_the_texts_makes_no_difference():
    assert WordTokenizer.fit(ENGLISH[::-1]).state()["spacing"] == WordTokenizer.fit(ENGLISH).state()["spacing"]


def test_text_decoded_token_by_token_is_the_whole_text():
    tokenizer = WordTokenizer.fit(ENGLISH)
    for text in ENGLISH:
        growing = GrowingText(tokenizer)
        assert "".join(growing.add(i) for i in tokenizer.encode(text)) + growing.rest() == text


@pytest.mark.parametrize("before", [0, 7, 400])
def test_quotation_marks_open_and_close_however_long_the_text_is(before):
    text = " ".join(f'He said, "{"go " * (3 + n % 7)}«home»!" and: "stay{", stay" * (n % 5)}."' for n in range(30))
    tokenizer = WordTokenizer.fit([text])
    ids = tokenizer.encode(text)
    assert len(ids) > 600 and tokenizer.decode(ids) == text
    growing = GrowingText(tokenizer, ids[:before])
    pieces = [tokenizer.decode(ids[:before]), *map(growing.add, ids[before:]), growing.rest()]
    assert "".join(pieces) == text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", "b"]], "rows of"),
        ([["a", "b", "x"]], "rows of"),
        ([["a", "b", None]], "rows of"),
        ([["", "-", ""], ["", "-", " "]], "two rows for '' and '-'"),
    ],
)
def test_malformed_rows_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        Spacing(rows)


def test_unknown_words_are_spaced_as_words_and_written_plainly():
    tokenizer = WordTokenizer.fit(ENGLISH, min_frequency=2)
    ids = tokenizer.encode("A zebra-man runs.")
    assert ids.count(UNK) >= 2
    assert tokenizer.decode(ids) == f"A {UNKNOWN}-{UNKNOWN} {UNKNOWN}."
    assert tokenizer.decode(ids, ["zebra", "man", "runs"]) == "A zebra-man runs."
    assert tokenizer.decode(ids, ["zebra"]) == f"A zebra-{UNKNOWN} {UNKNOWN}."


def test_scripts_without_spaces_are_counted_by_characters():
    assert words_and_marks("我爱GRU，很。") == ["我", "爱", "gru", "，", "很", "。"]
    assert words_and_marks("ไม่ดี") == ["ไ", "ม่", "ดี"]  # a vowel that is written before, then characters with their marks
    assert words_and_marks("가나 다") == ["가나", "다"]  # Korean has spaces


def test_an_unknown_word_counts_as_one_word():
    assert words_and_marks("Le <unk>, là-bas") == ["le", "<unk>", ",", "là", "-", "bas"]


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_references_of_multi30k_score_as_perfect(language, real_data):
    train, test = (
        gzip.decompress((real_data / f"multi30k/{split}.{language}.gz").read_bytes()).decode().splitlines()
        for split in ("train", "test_2016_flickr")
    )
    assert _bleu_of_references(train, test) >= 99.9


@pytest.mark.slow
def test_references_of_a_real_deck_score_as_perfect(real_data):
    with zipfile.ZipFile(real_data / "anki" / "fra-eng.zip") as archive:
        french = [line.split("\t")[1] for line in archive.read("fra-eng/fra.txt").decode().splitlines()]
    assert _bleu_of_references([text for i, text in enumerate(french) if i % 10], french[::10]) >= 99


def _bleu_of_references(train, test):
    learnt = WordTokenizer.fit(train)
    words = dict.fromkeys(word for text in test for word in learnt.split(text))
    tokenizer = WordTokenizer(
        list(dict.fromkeys([*learnt.symbols, *words])), learnt.lower, learnt.pattern, learnt.state()["spacing"]
    )
    test = [text.strip() for text in test]
    outputs = [tokenizer.decode(tokenizer.encode(text)) for text in test]
    return sacrebleu.BLEU(force=True).corpus_score(outputs, [test]).score
