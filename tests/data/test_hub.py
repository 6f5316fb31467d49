"""Data sets of the hub's library, from folders that the tests write; nothing is fetched."""

import json
import re
import sys

import datasets
import pytest
from support import pair_texts as texts
from support import prepared

from seqlab.data.hub import HubPairs
from seqlab.errors import InputError
from seqlab.extras import install_extra
from seqlab.text.tokenizers import CharacterTokenizer

ROWS = [("eins", "one"), ("zwei", "two"), ("drei", "three"), ("vier", "four"), ("fünf", "five")]
TRANSLATIONS = datasets.Features(
    {
        "id": datasets.Value("int32"),
        "tags": datasets.List(datasets.Value("string")),
        "translation": datasets.Translation(["de", "en"]),
    }
)
GERMAN = {"source_column": "translation.de", "target_column": "translation.en"}


def translations(rows):
    columns = {"id": range(len(rows)), "tags": [["x"]] * len(rows)}
    sides = [{"de": german, "en": english} for german, english in rows]
    return datasets.Dataset.from_dict({**columns, "translation": sides}, features=TRANSLATIONS)


@pytest.fixture(autouse=True)
def _caches_here(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")


@pytest.fixture
def saved(tmp_path):
    """A folder that `save_to_disk` wrote, with three splits."""
    splits = {"train": translations(ROWS[:3]), "validation": translations(ROWS[3:4]), "test": translations(ROWS[4:])}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "saved")
    return str(tmp_path / "saved")


@pytest.fixture
def load(tmp_path):
    def load(name, **settings):
        return prepared(HubPairs(CharacterTokenizer.fit, name=name, cache=tmp_path / "cache", **settings))

    return load


def test_the_splits_of_a_saved_data_set_are_used(load, saved):
    data = load(saved, **GERMAN)
    assert [texts(data, split) for split in ("train", "val", "test")] == [ROWS[:3], ROWS[3:4], ROWS[4:]]
    assert (data.source_language, data.target_language) == ("de", "en")
    assert data.remarks() == []


def test_columns_are_guessed_and_said(load, saved):
    data = load(saved)
    assert texts(data, "train") == ROWS[:3]
    (line,) = data.remarks()
    assert line.startswith("columns: source = 'translation.de', target = 'translation.en' (guessed;")
    assert line.endswith("not read: 'id'")


def test_a_data_set_without_splits_is_split_by_source(load, tmp_path):
    datasets.Dataset.from_dict({"question": [q for q, _ in ROWS], "answer": [a for _, a in ROWS]}).save_to_disk(
        tmp_path / "one"
    )
    data = load(str(tmp_path / "one"), val_share=0.2, test_share=0.2)
    assert {split: len(data.examples[split]) for split in data.splits} == {"train": 3, "val": 1, "test": 1}


def test_a_folder_of_parquet_files_works_offline(load, tmp_path):
    folder = tmp_path / "parquet"
    folder.mkdir()
    translations(ROWS[:4]).to_parquet(folder / "train-00000-of-00001.parquet")
    translations(ROWS[4:]).to_parquet(folder / "test-00000-of-00001.parquet")
    data = load(str(folder), val_share=0.0, **GERMAN)
    assert [texts(data, split) for split in data.splits] == [ROWS[:4], ROWS[4:]]


def test_classes_are_given_by_their_names(load, tmp_path):
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    rows = {"text": ["a", "b", "c"], "label": [0, 1, 1]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "classes")
    data = load(str(tmp_path / "classes"), val_share=0.0, test_share=0.0)
    assert texts(data, "train") == [("a", "no"), ("b", "yes"), ("c", "yes")]


def test_a_second_dataset_takes_pairs_from_the_cache_and_changed_ones_not(load, saved, tmp_path):
    first = load(saved, **GERMAN)
    assert load(saved, **GERMAN).content_key() == first.content_key()
    changed = datasets.DatasetDict({"train": translations(ROWS[:2]), "test": translations(ROWS[4:])})
    changed.save_to_disk(tmp_path / "changed")
    assert load(str(tmp_path / "changed"), val_share=0.0, **GERMAN).content_key() != first.content_key()


def refused(load, pattern, *name, **settings):
    with pytest.raises(InputError, match=pattern) as error:
        load(*name, **settings)
    assert "\n" not in str(error.value)


def test_an_empty_side_is_named_with_its_row(load, tmp_path):
    translations([("a", "b"), ("c", None)]).save_to_disk(tmp_path / "empty")
    refused(load, r"empty, train: row 2: the target is empty", str(tmp_path / "empty"))


def test_a_row_without_a_label_is_named_with_its_column(load, tmp_path):
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, -1]}, features=features)
    datasets.DatasetDict({"train": rows, "test": rows}).save_to_disk(tmp_path / "unlabelled")
    pattern = r"unlabelled, train: row 2: 'label' is -1, which is no class: a row without a label \(remove such rows"
    refused(load, pattern, str(tmp_path / "unlabelled"))


def test_a_column_that_is_missing_is_named_beside_those_there_are(load, saved):
    pattern = r"no column 'translation.fr'; there are 'id', 'translation.de', 'translation.en'"
    refused(load, pattern, saved, source_column="translation.fr", target_column="id")


def test_a_data_set_without_training_is_refused(load, tmp_path):
    datasets.DatasetDict({"test": translations(ROWS), "extra": translations(ROWS)}).save_to_disk(tmp_path / "half")
    refused(load, "no split for training; there are test, extra", str(tmp_path / "half"))


def test_a_damaged_data_set_is_refused(load, saved, tmp_path):
    (file,) = (tmp_path / "saved/train").glob("*.arrow")
    file.write_bytes(b"nothing of the kind")
    refused(load, r"saved: cannot be read as a data set \(.+\)$", saved)
    (tmp_path / "saved/dataset_dict.json").write_text(json.dumps({"splits": ["gone"]}))
    refused(load, r"saved: cannot be read as a data set \(.+\)$", saved)


def test_without_a_network_the_message_says_what_to_do(load, monkeypatch):
    def unreachable(*_):
        raise ConnectionError("Couldn't reach 'user/name' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    refused(load, r"^user/name: the Hugging Face hub cannot be reached.* data\.name=FOLDER", "user/name")


def test_a_library_that_is_missing_is_named_with_its_extra(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    line = f"data=hub needs datasets, which is not installed; type {install_extra('hub')}"
    refused(load, f"^{re.escape(line)}$", "user/name")


def test_a_name_is_needed():
    with pytest.raises(ValueError, match="name must name a data set"):
        HubPairs(CharacterTokenizer.fit)
