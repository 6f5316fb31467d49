"""Warnings about the text before training."""

import importlib.util

import pytest

from seqlab.data.anki import Anki
from seqlab.dataset_analysis.cautions import cautions, check_targets
from seqlab.errors import InputError
from seqlab.text.tokenizers import CharacterTokenizer, WordTokenizer

CHINESE = "今天天气很好。", "我们明天去学校。", "你叫什么名字？"
KOREAN = "안녕하세요.", "잘 지내요?", "저는 학생입니다."


@pytest.fixture
def load(tmp_path):
    def load(tokenizer, targets, **settings):
        path = tmp_path / "deck.txt"
        path.write_text("".join(f"Number {i}.\t{text}\n" for i, text in enumerate(targets * 5)), "utf-8")
        data = Anki(tokenizer, path=path, cache=tmp_path / "cache", **settings)
        data.prepare_data()
        data.setup("fit")
        return data

    return load


def test_words_of_a_script_without_spaces_are_warned_of_with_a_way_out(load):
    (line,) = cautions(load(WordTokenizer.fit, CHINESE))
    assert (
        "the target (Chinese) has no spaces between words" in line
        and "tokenizer=character" in line
        and "\n" not in line
    )
    assert cautions(load(CharacterTokenizer.fit, CHINESE)) == []
    assert cautions(load(WordTokenizer.fit, ("Bonjour.", "Ça va ?"))) == []
    line, *_ = cautions(load(WordTokenizer.fit, CHINESE, reverse=True))  # numbers as targets are unknown, too
    assert "the source (Chinese) has no spaces between words" in line


@pytest.mark.skipif(importlib.util.find_spec("mecab_ko") is not None, reason="MeCab for Korean is here")
def test_what_would_measure_better_is_named_once(load):
    (line,) = cautions(load(WordTokenizer.fit, KOREAN))
    assert "BLEU of Korean is computed on characters" in line
    assert cautions(load(WordTokenizer.fit, KOREAN, bleu_tokenizer="13a")) == []


def test_targets_with_many_unknown_words_are_warned_of(load):
    words = [f"mot{i}" for i in range(40)]
    lines = cautions(load(WordTokenizer.fit, [f"{word} " for word in words], val_share=0.2, test_share=0.2))
    assert lines == []  # each comes back five times
    single = [f"mot{i}" for i in range(200)]
    lines = cautions(load(WordTokenizer.fit, single, max_pairs=200, val_share=0.2, test_share=0.2))
    assert [line.partition(" are not")[0] for line in lines] == [
        "100% of the target words of val",
        "100% of the target words of test",
    ]
    assert "tokenizer=character" in lines[0]
    shares = {"max_pairs": 200, "val_share": 0.2, "test_share": 0.2}
    (line, _) = cautions(load(WordTokenizer.fit, [f"{word} le la" for word in single], **shares))
    assert line.startswith("33% of the target words of val are not in the vocabulary")
    assert cautions(load(WordTokenizer.fit, [f"{word} le la les des aux" for word in single], **shares)) == []
    assert cautions(load(CharacterTokenizer.fit, single, max_pairs=200, val_share=0.2, test_share=0.2)) == []


def test_a_run_whose_targets_are_all_unknown_words_is_refused(load):
    single = [f"mot{i}" for i in range(200)]
    shares = {"max_pairs": 200, "val_share": 0.2, "test_share": 0.2}
    with pytest.raises(InputError, match=r"100% of the target words of val .* tokenizer=character"):
        check_targets(load(WordTokenizer.fit, single, **shares))
    check_targets(load(CharacterTokenizer.fit, single, **shares))
    half = [f"{word} le" for word in single]
    check_targets(load(WordTokenizer.fit, half, **shares))
