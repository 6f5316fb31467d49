"""Pairs of one file are split as a deck is; files for each split are used as they are."""

import json
import logging

import pyarrow
import pyarrow.parquet
import pytest
from support import pair_texts, prepared

from seqlab.data import pair_files
from seqlab.data.anki import Anki
from seqlab.data.pair_files import PairFiles
from seqlab.errors import InputError
from seqlab.text.tokenizers import CharacterTokenizer

DECK = [(f"go {i}", f"va {i}") for i in range(23)] + [(f"go {i}", f"pars {i}") for i in range(0, 23, 3)]
PARTS = {"train.csv": DECK[:9], "dev.jsonl": [("stop", "halte"), ("stop", "arrête")], "test.tsv": [("wait", "attends")]}


def write(path, rows):
    """The rows with names, in the format of the file's name."""
    if path.suffix == ".jsonl":
        text = "".join(json.dumps({"source": source, "target": target}) + "\n" for source, target in rows)
    else:
        between = "," if path.suffix == ".csv" else "\t"
        text = "".join(f"{source}{between}{target}\n" for source, target in [("source", "target"), *rows])
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def load(tmp_path):
    def load(path, dataset=PairFiles, **settings):
        return prepared(dataset(CharacterTokenizer.fit, path=path, cache=tmp_path / "cache", **settings))

    return load


@pytest.fixture
def parts(tmp_path):
    """A folder with a file for each split."""
    (tmp_path / "parts").mkdir()
    for name, rows in PARTS.items():
        write(tmp_path / "parts" / name, rows)
    return tmp_path / "parts"


def texts(data):
    return {split: pair_texts(data, split) for split in data.splits}


def test_one_file_is_split_as_a_deck_is(load, tmp_path):
    deck = tmp_path / "deck.txt"
    deck.write_text("".join(f"{source}\t{target}\n" for source, target in DECK), encoding="utf-8")
    settings = {"val_share": 0.2, "seed": 3, "max_pairs": 25, "sample": "random"}
    as_a_deck, pairs = load(deck, Anki, **settings), load(deck, **settings)
    assert texts(pairs) == texts(as_a_deck)
    assert {split: pairs.examples[split].fingerprint() for split in pairs.splits} == {
        split: as_a_deck.examples[split].fingerprint() for split in pairs.splits
    }
    with_names = load(write(tmp_path / "deck.csv", DECK), **settings)
    assert texts(with_names) == texts(as_a_deck)


def test_files_of_a_folder_are_the_splits(load, parts):
    data = load(parts)
    assert texts(data) == {
        "train": [(source, *dict.fromkeys([target])) for source, target in DECK[:9]],
        "val": [("stop", "halte", "arrête"), ("stop", "arrête", "halte")],
        "test": [("wait", "attends")],
    }
    assert data.rows_to_generate("val").tolist() == [True, False]


def test_a_pattern_names_files_too(load, parts):
    assert texts(load(parts / "*.*")) == texts(load(parts))
    (parts / "dev.jsonl").unlink()
    assert texts(load(str(parts / "t*"), val_share=0.0)).keys() == {"train", "test"}


def test_a_split_without_a_file_is_taken_from_training_by_source(load, parts):
    (parts / "dev.jsonl").unlink()
    splits = texts(load(parts))
    assert splits["test"] == [("wait", "attends")]
    assert (len(splits["train"]), len(splits["val"])) == (8, 1)
    assert load(parts, val_share=0.0).splits == ["train", "test"]


def test_shards_of_a_split_are_read_in_natural_order(load, tmp_path):
    for number in (2, 10, 1):
        table = pyarrow.table({"source": [f"s{number}"], "target": [f"t{number}"]})
        pyarrow.parquet.write_table(table, tmp_path / f"train-{number}-of-10.parquet")
    write(tmp_path / "validation.csv", [("a", "b")])
    assert texts(load(tmp_path, test_share=0.0))["train"] == [("s1", "t1"), ("s2", "t2"), ("s10", "t10")]


def test_files_without_a_split_in_their_names_are_one_or_left_out(load, tmp_path, caplog):
    (tmp_path / "all").mkdir()
    for i, name in enumerate(("a.tsv", "b.tsv")):
        write(tmp_path / "all" / name, DECK[i::2])
    data = load(tmp_path / "all", val_share=0.0, test_share=0.0)
    assert [source for source, *_ in texts(data)["train"]] == [source for source, _ in DECK[::2] + DECK[1::2]]
    write(tmp_path / "all" / "train.tsv", DECK[:3])
    with caplog.at_level(logging.WARNING):
        data = load(tmp_path / "all", val_share=0.0, test_share=0.0)
    assert len(data.examples["train"]) == 3
    assert "left out, without train, val or test in the name: a.tsv, b.tsv" in caplog.text


def test_references_of_a_held_out_file_are_those_of_that_file(load, tmp_path):
    write(tmp_path / "train.tsv", [("go", "va"), ("stop", "halte")])
    write(tmp_path / "test.tsv", [("go", "pars")])
    assert texts(load(tmp_path, val_share=0.0))["test"] == [("go", "pars")]


def test_further_target_columns_are_references(load, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("q,a,b\ngo,va,pars\nstop,halte,\ngo,cours,va\n", encoding="utf-8")
    data = load(path, source_column="q", target_column=["a", "b"], val_share=0.0, test_share=0.0)
    assert texts(data)["train"] == [("go", "va", "pars", "cours"), ("stop", "halte"), ("go", "cours", "va", "pars")]
    assert [pair.target for pair in data.training_pairs()] == ["va", "halte", "cours"]
    assert data.reading_remarks == []


def test_how_columns_were_guessed_is_remembered_by_the_cache(load, parts, monkeypatch):
    remarks = load(parts).remarks()
    monkeypatch.setattr(pair_files, "read_rows", lambda path: pytest.fail("read again"))
    assert load(parts).remarks() == remarks
    assert remarks[0].startswith("columns: source = 'source', target = 'target' (guessed;")
    assert len(remarks) == 1, "the same line of each file is said once"


@pytest.mark.parametrize(
    "changed", [{"source_column": 2, "target_column": 1}, {"max_words": 2}, {"val_share": 0.2}], ids=str
)
def test_another_setting_is_another_cache(load, parts, changed):
    before = load(parts)
    assert load(parts, **changed).content_key() != before.content_key()


def test_a_changed_file_is_another_cache(load, parts):
    before = load(parts).content_key()
    write(parts / "dev.jsonl", [("stop", "halt")])
    assert load(parts).content_key() != before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": None}, "path must name a file, a folder or a pattern"),
        ({"path": "a", "source_column": "q"}, "target_column must be set as source_column is"),
        ({"path": "a", "target_column": ["q"]}, "source_column must be set as target_column is"),
        ({"path": "a", "source_column": 0, "target_column": 1}, "numbers from 1, but one is 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PairFiles(CharacterTokenizer.fit, **settings)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no files of sentence pairs there"),
        (["picture.png"], "no files of sentence pairs there"),
        (["test.csv", "dev.csv"], r"no file for training \(train in its name\); there are dev.csv, test.csv"),
    ],
)
def test_a_folder_without_files_to_train_on_is_refused(load, tmp_path, names, message):
    (tmp_path / "data").mkdir()
    for name in names:
        (tmp_path / "data" / name).write_text("source,target\na,b\n")
    with pytest.raises(InputError, match=message):
        load(tmp_path / "data")


def test_a_missing_file_and_a_pattern_that_fits_nothing_are_named(load, tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv: no such file"):
        load(tmp_path / "gone.csv")
    with pytest.raises(InputError, match=r"gone-\*\.csv: no files of sentence pairs"):
        load(tmp_path / "gone-*.csv")
