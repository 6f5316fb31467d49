import logging

import pytest

from seqlab.data.corpus import read_corpus
from seqlab.errors import InputError
from seqlab.text.documents import Cleaning

CLEANING = Cleaning()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "documents"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text("# One\n\n```\ncode\n```\nText of it.\n", encoding="utf-8")
    (folder / "deep/b.txt").write_text("Été\r\nof another.  \n", encoding="utf-8", newline="")
    (folder / "deep/code.md").write_text("```\nnothing but code\n```\n", encoding="utf-8")
    (folder / "empty.txt").write_text("", encoding="utf-8")
    return folder


def texts(corpus):
    return {document.name: "".join(document.lines()) for document in corpus.documents}


def test_texts_are_cleaned_and_kept(folder, tmp_path, caplog):
    corpus = read_corpus(folder, CLEANING, (), tmp_path / "cache")
    assert texts(corpus) == {"a.md": "# One\n\nText of it.\n", "deep/b.txt": "Été\nof another.\n"}
    assert corpus.characters == sum(len(text) for text in texts(corpus).values())
    assert "dropped 2 code fences" in corpus.cleaning
    assert [one.name for one in corpus.collection.skipped] == ["empty.txt"]
    assert "empty.txt" in caplog.text


def test_a_second_time_nothing_is_read_or_cleaned_but_what_is_skipped_is_warned_of(folder, tmp_path, caplog):
    first = read_corpus(folder, CLEANING, (), tmp_path / "cache")
    caplog.clear()
    again = read_corpus(folder, CLEANING, (), tmp_path / "cache")
    assert again.collection.read == 0
    assert (again.folder, again.documents, again.cleaning) == (first.folder, first.documents, first.cleaning)
    (record,) = (record for record in caplog.records if record.levelno >= logging.WARNING)
    assert "skipped empty.txt: empty (0 bytes)" in record.getMessage()


def test_other_cleaning_is_another_folder(folder, tmp_path):
    plain = Cleaning(normalise=False, front_matter=False, code_fences=False, markup=False, duplicates=False)
    corpus = read_corpus(folder, plain, (), tmp_path / "cache")
    assert texts(corpus)["deep/b.txt"] == "Été\r\nof another.  \n"
    assert len(corpus.documents) == 3
    assert corpus.folder != read_corpus(folder, CLEANING, (), tmp_path / "cache").folder


def test_documents_are_chosen_by_their_names(folder, tmp_path):
    assert list(texts(read_corpus(folder, CLEANING, ("deep/*",), tmp_path))) == ["deep/b.txt"]
    assert list(texts(read_corpus(folder, CLEANING, ("*.txt", "a.*"), tmp_path))) == ["a.md", "deep/b.txt"]
    with pytest.raises(InputError, match=r"data\.include: no document in .* matches 'c\.\*'; one is named 'a\.md'"):
        read_corpus(folder, CLEANING, ("a.md", "c.*"), tmp_path)


def test_nothing_left_is_an_error_and_leaves_no_folder(folder, tmp_path):
    with pytest.raises(InputError, match=r"cleaning leaves nothing of 1 document$"):
        read_corpus(folder, CLEANING, ("deep/code.md",), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*texts-*"))
