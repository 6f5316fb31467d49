"""Codes and scripts of languages, and the tokenizer that BLEU uses for each."""

import importlib.util

import pytest

from seqlab.text import languages
from seqlab.text.languages import (
    BleuTokenizer,
    bleu_tokenizer,
    check_bleu_tokenizer,
    deck_languages,
    language_of,
    script_language,
    unseparated,
)
from seqlab.text.tokenizers import WordTokenizer

CHINESE = ["你好。", "今天天气很好。", "他叫 Tom。"]
JAPANESE = ["これは本です。", "東京に行きます。"]


@pytest.mark.parametrize(
    ("code", "language"), [("cmn", "zh"), ("zh-CN", "zh"), ("JPN", "ja"), ("ger", "de"), ("fr_FR", "fr"), ("src", None)]
)
def test_a_language_has_one_code(code, language):
    assert language_of(code) == language


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("fra-eng.zip", ("en", "fr")),
        ("fra.txt", ("en", "fr")),
        ("fra-with-attribution.txt", ("en", "fr")),
        ("cmn-eng.zip", ("en", "zh")),
        ("jpn.txt.gz", ("en", "ja")),
        ("de-en.tsv", ("en", "de")),
        ("my-deck.txt", (None, None)),
        ("deck.txt", (None, None)),
        ("fra-deu.txt", (None, None)),
        ("eng.txt", (None, None)),
    ],
)
def test_a_decks_file_name_gives_its_languages(name, columns):
    assert deck_languages(name) == columns


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (CHINESE, "zh"),
        (JAPANESE, "ja"),
        (["안녕하세요"], "ko"),
        (["ฉันสบายดี"], "th"),
        (["ຂ້ອຍສະບາຍດີ"], "lo"),
        (["ខ្ញុំសុខសប្បាយ"], "km"),
        (["နေကောင်းလား"], "my"),
        (["Bonjour 你"], None),
        (["هل أنت بخير؟"], None),
        (["123"], None),
        ([], None),
    ],
)
def test_a_script_may_identify_the_language(texts, language):
    assert script_language(texts) == language


@pytest.mark.parametrize(
    ("language", "texts", "name"),
    [
        ("cmn", [], "zh"),
        (None, CHINESE, "zh"),
        ("src", CHINESE, "zh"),
        ("fr", CHINESE, "13a"),
        ("tha", [], "char"),
        (None, ["ខ្ញុំសុខសប្បាយ"], "char"),
        ("ar", [], "13a"),
        (None, ["Bonjour."], "13a"),
    ],
)
def test_the_bleu_tokenizer_fits_the_language(language, texts, name):
    assert bleu_tokenizer(language, texts) == BleuTokenizer(name)


@pytest.mark.parametrize(
    ("named", "texts", "name", "remark"),
    [
        ("ja", ["This is a book."], "13a", "language ja, but they are not in the script of Japanese: BLEU"),
        ("en", CHINESE, "zh", "language en, but they are in the script of Chinese: BLEU"),
        ("ko", CHINESE, "zh", "in the script of Chinese"),
        ("zh", CHINESE, "zh", None),
        ("fr", ["Bonjour."], "13a", None),
    ],
)
def test_the_script_overrides_the_language_of_the_file_name(named, texts, name, remark):
    found = bleu_tokenizer(named, texts, named_by_file=True)
    assert found.name == name
    assert found.remark is None if remark is None else remark in found.remark and "\n" not in found.remark


@pytest.mark.parametrize(("language", "extra"), [("jpn", "japanese"), ("ko", "korean")])
def test_mecab_is_used_where_it_is_installed(language, extra, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert bleu_tokenizer(language, []) == BleuTokenizer(f"{language_of(language)}-mecab")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = bleu_tokenizer(language, [])
    assert found.name == "char" and f".[{extra}]" in found.remark


def test_a_tokenizer_unknown_to_sacrebleu_is_refused():
    with pytest.raises(ValueError, match=r"bleu_tokenizer must be one of none, zh, 13a, .* but is 'words'"):
        check_bleu_tokenizer("words")
    check_bleu_tokenizer("intl")


@pytest.mark.skipif(importlib.util.find_spec("MeCab") is not None, reason="MeCab is here")
def test_a_tokenizer_that_lacks_its_library_is_refused():
    with pytest.raises(ValueError, match="ja-mecab cannot be used here: Japanese tokenization requires"):
        check_bleu_tokenizer("ja-mecab")


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["今天天气很好。", "我们明天去学校。"], "Chinese"),
        (["今天 天气 很 好 。", "我们 明天 去 学校 。"], None),
        (["ฉันสบายดีมากวันนี้"], "Thai"),
        (["これはとても面白い本です。"], "Japanese"),
        (["안녕하세요 잘 지내요"], None),
        (["Donaudampfschifffahrtsgesellschaft"], None),
        ([], None),
    ],
)
def test_phrases_taken_for_words_are_recognised(texts, language):
    assert unseparated(WordTokenizer.fit(texts).symbols) == language


def test_every_unseparated_language_has_a_name():
    assert set(languages.UNSEPARATED) <= set(languages._NAMES)
