"""Running text from data sets of the hub's library, from folders that the tests write; nothing is fetched."""

import datasets
import pytest

from seqlab.data import hub_text
from seqlab.data.hub_text import HubText
from seqlab.errors import InputError
from seqlab.text.documents import Cleaning
from seqlab.text.tokenizers import CharacterTokenizer

TRAIN = [f"Row {number} says {'so ' * (number % 5)}much.\nIt has a second line {number}." for number in range(40)]
VAL = ["Nothing of this was seen.", "", "A last one."]


@pytest.fixture(autouse=True)
def _caches_here(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")


@pytest.fixture
def saved(tmp_path):
    """Writes a data set of the given splits; gives its folder."""

    def save(name="saved", **splits):
        columns = {split: datasets.Dataset.from_dict(rows) for split, rows in splits.items()}
        datasets.DatasetDict(columns).save_to_disk(tmp_path / name)
        return str(tmp_path / name)

    return save


@pytest.fixture
def load(tmp_path):
    def load(name, **settings):
        settings = {"block": 100, "length": 16, **settings}
        data = HubText(CharacterTokenizer.fit, name=name, cache=tmp_path / "cache", **settings)
        data.prepare_data()
        data.setup("fit")
        return data

    return load


def sentences_of(data, split):
    return [text for run in data.texts.runs(split) for text in data.texts.sentences_of(run)]


EXPECTED = {line for row in TRAIN for line in row.split("\n")}


def test_all_rows_are_sentences_of_training_or_held_out(load, saved):
    data = load(saved(train={"text": TRAIN}))
    train, val = (sentences_of(data, split) for split in ("train", "val"))
    assert set(train) | set(val) == EXPECTED
    assert len(train) + len(val) == len(EXPECTED)
    assert data.texts.splits == ["train", "val"]
    assert data.describe().startswith("text of saved; tokens ")


def test_its_own_validation_rows_are_val_and_empty_ones_are_left_out(load, saved):
    data = load(saved(train={"text": TRAIN}, validation={"text": VAL}, test={"text": ["never read"]}))
    assert sentences_of(data, "val") == ["Nothing of this was seen.", "A last one."]
    assert set(data.texts.splits) == {"train", "val", "val_other"}
    assert set(sentences_of(data, "train")) | set(sentences_of(data, "val_other")) == EXPECTED
    decoded = data.target_tokenizer.decode(data.examples["val"].stream[:].tolist())
    assert "never" not in decoded


def test_a_row_stays_as_it_is_where_nothing_is_cleaned(load, saved):
    rows = ["  two  spaces ", "a\r\nline\n", "\n", "é and e\u0301"]
    data = load(saved(train={"text": rows}), boundaries="none", split="tail", val_share=0.3, length=4, cleaning=None)
    text = "".join("".join(run) for split in ("train", "val") for run in data.texts.runs(split))
    assert text == "  two  spaces \n\na\r\nline\n\né and e\u0301\n\n"


def test_many_rows_are_several_files_in_their_order(load, saved, monkeypatch):
    monkeypatch.setattr(hub_text, "FILE", 200)
    data = load(saved(train={"text": TRAIN}), val_share=0.2, split="tail")
    names = [one.name for one in data.texts.corpus.documents]
    assert len(names) > 5
    assert names == sorted(names)
    assert set(sentences_of(data, "train")) | set(sentences_of(data, "val")) == EXPECTED


def test_duplicates_are_dropped_as_of_all_text(load, saved):
    long = "This sentence is repeated in the data set, and it is so long that it is no accident at all."
    data = load(saved(train={"text": [*TRAIN, long, long]}), cleaning=Cleaning(), val_share=0.1, split="tail")
    assert (sentences_of(data, "train") + sentences_of(data, "val")).count(long) == 1
    assert "dropped 1 duplicate paragraphs" in "\n".join(data.remarks())


BOOK = "Title\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n{}\n*** END OF THE PROJECT GUTENBERG EBOOK X ***\nEnd"


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([BOOK.format("Once."), BOOK.format("Twice."), "Thrice"], ["Once.", "Twice.", "Thrice"]),
        (["---\na: b\n---\nOne", "---\nc: d\n---\nTwo"], ["One", "Two"]),
        (["One\n```", "Two", "```\nThree"], ["One", "```", "Two", "```", "Three"]),
        (["One\n```\ncode\n```", "Two"], ["One", "Two"]),
        (["One regu\u00ad", "Two"], ["One regu", "Two"]),
        (["%PDF-1.4 is how a PDF begins", "\ufeffTwo"], ["%PDF-1.4 is how a PDF begins", "Two"]),
    ],
)
def test_each_row_is_cleaned_by_itself(load, saved, rows, kept):
    data = load(saved(train={"text": [*rows, *TRAIN]}), cleaning=Cleaning(), split="tail")
    assert sentences_of(data, "train")[: len(kept) + 1] == [*kept, "Row 0 says much."]


def test_only_a_row_with_nul_characters_is_skipped_with_a_warning(load, saved, caplog):
    data = load(saved(train={"text": [TRAIN[0], "a\0b", *TRAIN[1:], "\0"]}), cleaning=Cleaning())
    assert set(sentences_of(data, "train")) | set(sentences_of(data, "val")) == EXPECTED
    assert "skipped saved, train: row 2 and 1 more row: binary (holds NUL characters)" in caplog.text.replace(
        f"{data.dataset_name}, train: row", "saved, train: row"
    )


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"text": TRAIN}, "text"),
        ({"label": [1] * 40, "story": TRAIN}, "story"),
        ({"title": ["t"] * 40, "content": TRAIN}, "content"),
    ],
)
def test_the_column_is_guessed_and_said(load, saved, columns, chosen):
    data = load(saved(train=columns))
    assert set(sentences_of(data, "train")) <= EXPECTED
    others = "".join(f"; not read: '{name}'" for name in columns if name != chosen)
    assert (
        data.remarks()[0]
        == data.reading_remarks[0]
        == f"column: '{chosen}' (guessed; data.column=NAME changes it){others}"
    )


def test_a_column_within_a_structure_is_named(load, saved):
    data = load(saved(train={"answer": [{"text": row, "start": 1} for row in TRAIN]}), column="answer.text")
    assert set(sentences_of(data, "train")) <= EXPECTED
    assert not any(line.startswith("column") for line in data.remarks())


def test_a_folder_of_parquet_files_works_offline(load, tmp_path):
    (tmp_path / "parquet").mkdir()
    datasets.Dataset.from_dict({"text": TRAIN}).to_parquet(tmp_path / "parquet/train-00000-of-00001.parquet")
    assert set(sentences_of(load(str(tmp_path / "parquet")), "train")) <= EXPECTED


def test_changed_rows_are_read_again(load, saved):
    first = load(saved(train={"text": TRAIN}))
    assert load(saved(train={"text": TRAIN})).files_fingerprint() == first.files_fingerprint()
    changed = load(saved("changed", train={"text": [*TRAIN[1:], "Another one."]}))
    assert changed.content_key() != first.content_key()


@pytest.mark.parametrize(
    ("splits", "settings", "message"),
    [
        ({"train": {"text": TRAIN}}, {"column": "txt"}, r"saved, train: no column 'txt'; there are 'text'$"),
        (
            {"train": {"a": TRAIN, "b": TRAIN}},
            {},
            r"several columns of text, 'a', 'b'; data\.column=NAME chooses one$",
        ),
        ({"train": {"n": [1, 2]}}, {}, "its first row has no text; there are 'n'$"),
        ({"train": {"n": [1, 2]}}, {"column": "n"}, "saved, train: row 1: 'n' is no text, but 1$"),
        ({"train": {"text": ["", " \n"]}}, {}, "column 'text' is empty in all rows$"),
        ({"train": {"text": ["", "\0"]}}, {}, "column 'text' is empty or has a NUL character in all rows$"),
        ({"test": {"text": TRAIN}}, {}, "no split for training; there are test$"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(load, saved, splits, settings, message):
    with pytest.raises(InputError, match=message) as error:
        load(saved(**splits), **settings)
    assert "\n" not in str(error.value)


def test_settings_that_rows_cannot_follow_are_refused(load):
    with pytest.raises(ValueError, match="name must name a data set"):
        load(None)
    with pytest.raises(ValueError, match="boundaries must be sentence or none"):
        load("x", boundaries="document")
