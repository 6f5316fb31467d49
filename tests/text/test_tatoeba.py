"""Tatoeba's exports: sentences that links join, of two languages or of all."""

import bz2

import pytest

from seqlab.errors import InputError
from seqlab.text.column_choice import ColumnChoice
from seqlab.text.pairs import Pair, pairs_of
from seqlab.text.tatoeba import TatoebaPairs, tatoeba_files

FILES = {
    "fra_sentences.tsv": "1\tfra\tVa !\n2\tfra\tSalut.\n5\tfra\tSeul.\n",
    "eng_sentences.tsv": "3\teng\tGo.\n4\teng\tHi.\n6\teng\tHello.\n",
    "fra-eng_links.tsv": "1\t3\n2\t4\n2\t6\n",
}
GUESSED = ColumnChoice()
FRENCH = [Pair("Va !", "Go."), Pair("Salut.", "Hi."), Pair("Salut.", "Hello.")]


@pytest.fixture
def read(tmp_path):
    """Writes an export and reads its pairs."""

    def read(files, columns=GUESSED):
        for name, text in files.items():
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        pairs, line = pairs_of(TatoebaPairs(tatoeba_files(tmp_path)), columns)
        return list(pairs), line

    return read


def test_two_languages_are_joined_by_their_links(read):
    pairs, line = read(FILES)
    assert pairs == FRENCH
    assert line.startswith("columns: source = 'fra', target = 'eng' (guessed;")


def test_the_direction_is_chosen_by_language(read):
    assert read(FILES, ColumnChoice("eng", ("fra",)))[0] == [Pair(pair.target, pair.source) for pair in FRENCH]


def test_files_may_be_compressed_as_they_are_downloaded(read):
    assert read({f"{name}.bz2": bz2.compress(text.encode()) for name, text in FILES.items()})[0] == FRENCH


def test_of_all_languages_two_are_chosen(read):
    every = {"sentences.csv": FILES["fra_sentences.tsv"] + FILES["eng_sentences.tsv"] + "7\tdeu\tGeh!\n"}
    both = "1\t3\n3\t1\n2\t4\n4\t2\n2\t6\n6\t2\n1\t7\n7\t1\n"
    files = {**every, "links.csv": both}
    assert read(files, ColumnChoice("fra", ("eng",)))[0] == FRENCH
    with pytest.raises(InputError, match=r"which column is the source.*there are 'deu', 'eng', 'fra'"):
        read(files)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("links.tar.bz2", "sentences.tar.bz2"), "no links.csv"),
        (("links.csv", "sentences.tar.bz2"), "links.csv needs sentences.csv beside it"),
    ],
)
def test_archives_are_to_be_unpacked_first(tmp_path, files, message):
    for name in files:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=f"{message}; unpack the archives first: tar -xf .*sentences.tar.bz2$"):
        tatoeba_files(tmp_path)


def test_links_to_nothing_are_left_out_with_a_warning(read, caplog):
    assert read({**FILES, "fra-eng_links.tsv": "9\t3\n1\t3\n"})[0] == FRENCH[:1]
    assert "1 links name sentences that are not there" in caplog.text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fra_sentences.tsv": "1\tfra\n"}, r"fra_sentences\.tsv:1: expected id<TAB>language<TAB>text"),
        ({"fra-eng_links.tsv": "1\t3\n2\n"}, r"fra-eng_links\.tsv:2: expected id<TAB>id"),
        ({"fra-eng_links.tsv": "1\tx\n"}, r"fra-eng_links\.tsv:1: 'x' is no id"),
        ({"eng_sentences.tsv": b"3\teng\t\xe9\n"}, r"eng_sentences\.tsv:1: not UTF-8"),
        ({"deu-eng_links.tsv": "1\t3\n"}, r"several files of links \(deu-eng_links\.tsv, fra-eng_links\.tsv\)"),
    ],
)
def test_broken_exports_are_refused_in_one_line(read, changed, message):
    with pytest.raises(InputError, match=message) as error:
        read({**FILES, **changed})
    assert "\n" not in str(error.value)


def test_links_without_their_sentences_are_refused(tmp_path):
    assert tatoeba_files(tmp_path) is None
    (tmp_path / "fra-eng_links.tsv").write_text("1\t3\n")
    (tmp_path / "fra_sentences.tsv").write_text("1\tfra\tVa !\n")
    with pytest.raises(InputError, match=r"fra-eng_links\.tsv needs eng_sentences\.tsv beside it"):
        tatoeba_files(tmp_path)
