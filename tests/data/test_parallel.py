"""Line-aligned files: plain or compressed, read whole, refused with the line that is wrong."""

import gzip
import logging

import pytest
from support import pair_texts as texts
from support import prepared

from seqlab.data.parallel import Parallel
from seqlab.errors import InputError
from seqlab.text.tokenizers import CharacterTokenizer, SentencePieceTokenizer, WordTokenizer

FILES = {
    "train.de": "Ein Hund läuft .\nZwei Hunde laufen .\nEin Kind lacht laut .\n",
    "train.en": "A dog runs .\nTwo dogs run .\nA child laughs loudly .\n",
    "val.de": "Ein Hund lacht .\n",
    "val.en": "A dog laughs .\n",
    "test.de": "Zwei Kinder laufen .\nEin Hund .\n",
    "test.en": "Two children run .\nA dog .\n",
}


@pytest.fixture
def folder(tmp_path):
    """A small parallel corpus; tests change it before they read it."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def load(folder, tmp_path):
    def load(tokenizer=WordTokenizer.fit, path=folder, **settings):
        return prepared(Parallel(tokenizer, path=path, cache=tmp_path / "cache", **settings))

    return load


def test_line_n_of_one_file_goes_with_line_n_of_the_other(load):
    data = load()
    assert texts(data, "train")[1] == ("Zwei Hunde laufen .", "Two dogs run .")
    assert {split: len(data.examples[split]) for split in data.splits} == {"train": 3, "val": 1, "test": 2}


def test_gzip_is_recognised_by_its_bytes(load, folder):
    plain = texts(load(), "test")
    (folder / "test.de.gz").write_bytes(gzip.compress((folder / "test.de").read_bytes()))
    (folder / "test.en").write_bytes(gzip.compress((folder / "test.en").read_bytes()))  # without the ending
    (folder / "test.de").unlink()
    assert texts(load(), "test") == plain


@pytest.mark.parametrize(("german", "english"), [("\n\n", ""), ("", " \n"), ("\n", "\n\n\n")])
def test_blank_lines_at_the_end_of_a_file_do_not_count(load, folder, german, english):
    plain = texts(load(), "test")
    for language, end in (("de", german), ("en", english)):
        (folder / f"test.{language}").write_text(FILES[f"test.{language}"] + end, encoding="utf-8")
    assert texts(load(), "test") == plain


def test_a_blank_line_with_a_translation_counts(load, folder):
    (folder / "train.de").write_text(FILES["train.de"] + "\n", encoding="utf-8")
    (folder / "train.en").write_text(FILES["train.en"] + "More .\nAnd more .\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"has 4 lines, but .* 5"):
        load()


def test_any_languages_in_any_direction_and_splits_by_name(load, folder):
    (folder / "dev_2020.en").write_text("A child .\n", encoding="utf-8")
    (folder / "dev_2020.de").write_text("Ein Kind .\n", encoding="utf-8")
    data = load(source="en", target="de", val="dev_2020", test=None)
    assert data.splits == ["train", "val"]
    assert texts(data, "val") == [("A child .", "Ein Kind .")]


def test_limits_apply_to_training_only(load):
    data = load(max_pairs=1, max_words=4)
    assert texts(data, "train") == [("Ein Hund läuft .", "A dog runs .")]
    assert len(data.examples["test"]) == 2
    assert len(load(max_words=4).examples["train"]) == 2


def test_a_shared_vocabulary_is_one_tokenizer_learnt_from_both_sides(load):
    data = load(shared_vocabulary=True)
    assert data.source_tokenizer is data.target_tokenizer or data.source_size == data.target_size
    assert data.source_tokenizer.encode("Hund dog") == data.target_tokenizer.encode("Hund dog")
    assert 3 not in data.source_tokenizer.encode("Hund dog")
    assert 3 in load().source_tokenizer.encode("Hund dog")


def test_a_lower_casing_tokenizer_says_so_after_the_cache_too(load):
    for fit in (WordTokenizer.fit, CharacterTokenizer.fit):
        assert load(fit).target_tokenizer.lower is False
    from functools import partial

    for fit in (WordTokenizer.fit, partial(SentencePieceTokenizer.fit, vocabulary_size=300)):
        lower = partial(fit, lower=True)
        load(lower)
        again = load(lower).target_tokenizer
        assert again.lower is True
        assert again.encode("A DOG") == again.encode("a dog")
        assert again.decode(again.encode("A DOG")) == "a dog"


def test_training_pairs_with_an_empty_side_are_dropped_and_counted(load, folder, caplog):
    (folder / "train.en").write_text("A dog runs .\n\nA child laughs loudly .\n", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert len(load().examples["train"]) == 2
    assert "1 training pairs with an empty side are dropped" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("test.en", "Two children run .\n \n"), r"test\.en:2: the line is empty"),
        (("val.de", "Ein Hund .\nEin Kind .\n"), r"val\.de has 2 lines, but .*val\.en 1; line n of one"),
        (("train.en", b"A dog\nTwo d\xff\nA child\n"), r"train\.en:2: not UTF-8"),
        (("train.en", gzip.compress(b"A dog\n" * 3)[:-9]), r"train\.en: not a readable gzip file"),
        (("val.en", ""), r"val\.en: the file is empty"),
        (
            ("val.en", None),
            r"corpus: neither val\.en nor val\.en\.gz exists; data\.val=NAME takes .*, and data\.val=null leaves",
        ),
    ],
)
def test_bad_files_are_named_and_leave_no_cache(load, folder, tmp_path, change, message):
    name, content = change
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError, match=message):
        load()
    assert not list((tmp_path / "cache").glob("*"))


def test_a_missing_folder_is_an_error_that_says_what_is_expected(load, tmp_path):
    with pytest.raises(ValueError, match=r"path must name a folder of line-aligned files \(train.de, train.en"):
        load(path=None)
    with pytest.raises(InputError, match=r"nowhere: no such folder; set data\.path=FOLDER .* SEQLAB_DATA=FOLDER"):
        load(path=tmp_path / "nowhere")


def test_every_line_is_evaluated_against_its_translation_only(load, folder):
    (folder / "test.de").write_text("Ein Hund .\nZwei Hunde .\nEin Hund .\n", encoding="utf-8")
    (folder / "test.en").write_text("A dog .\nTwo dogs .\nOne dog .\n", encoding="utf-8")
    data = load()
    expected = [("Ein Hund .", "A dog ."), ("Zwei Hunde .", "Two dogs ."), ("Ein Hund .", "One dog .")]
    assert texts(data, "test") == expected
    assert data.rows_to_generate("test").tolist() == [True, True, True]


@pytest.mark.parametrize("changed", [{"max_pairs": 2}, {"source": "en", "target": "de"}, {"shared_vocabulary": True}])
def test_another_setting_is_another_cache(load, tmp_path, changed):
    load()
    load()
    assert len(list((tmp_path / "cache").iterdir())) == 1
    load(**changed)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_multi30k_has_its_published_sizes(load, real_data):
    data = load(path=real_data / "multi30k", test="test_2016_flickr")
    assert {split: len(data.examples[split]) for split in data.splits} == {"train": 29000, "val": 1014, "test": 1000}


def test_file_suffixes_are_the_languages_unless_others_are_named(load, folder):
    data = load()
    assert (data.source_language, data.target_language, data.bleu_tokenizer.name) == ("de", "en", "13a")
    for split in ("train", "val", "test"):
        (folder / f"{split}.cmn").write_text((folder / f"{split}.en").read_text())
    assert load(target="cmn").bleu_tokenizer.name == "zh"
    assert load(target="cmn", target_language="tha").bleu_tokenizer.name == "char"
    assert load(target="cmn", bleu_tokenizer="intl").bleu_tokenizer.name == "intl"


def test_an_unknown_bleu_tokenizer_is_refused(load):
    with pytest.raises(ValueError, match="bleu_tokenizer must be one of"):
        load(bleu_tokenizer="words")
