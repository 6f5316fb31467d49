import pytest

from seqlab import paths
from seqlab.data.anki import Anki
from seqlab.text.pairs import read_pairs
from seqlab.text.tokenizers import CharacterTokenizer, WordTokenizer


def test_the_phrasebook_has_translations_enough_to_learn_from():
    pairs = read_pairs(paths.phrasebook())
    sources = {pair.source for pair in pairs}
    assert len(pairs) == len(set(pairs)) == 420
    assert len(sources) == 300
    assert len({pair.target for pair in pairs}) > 300


def test_without_a_downloaded_deck_the_phrasebook_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = Anki(CharacterTokenizer.fit, cache=tmp_path)
    assert data.path == paths.phrasebook()
    assert "phrasebook" in data.describe()
    assert data.pinned_arguments == {"path": "phrasebook"}


def test_a_downloaded_deck_is_taken_before_the_phrasebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    deck = tmp_path / "outputs" / "data" / "fra-eng.zip"
    deck.parent.mkdir(parents=True)
    deck.touch()
    data = Anki(CharacterTokenizer.fit, cache=tmp_path)
    assert data.path.resolve() == deck
    assert "fra-eng.zip" in data.describe()
    assert data.pinned_arguments == {"path": "outputs/data/fra-eng.zip"}
    named = Anki(CharacterTokenizer.fit, "phrasebook", cache=tmp_path)
    assert (named.path, named.pinned_arguments) == (paths.phrasebook(), {})


def test_a_deck_in_the_folder_of_real_data_is_taken_where_none_was_downloaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQLAB_DATA", "data")
    deck = tmp_path / "data/anki/fra-eng.zip"
    deck.parent.mkdir(parents=True)
    deck.touch()
    data = Anki(CharacterTokenizer.fit, cache=tmp_path)
    assert data.path.resolve() == deck
    assert data.pinned_arguments == {"path": "data/anki/fra-eng.zip"}


@pytest.mark.parametrize("tokenizer", [CharacterTokenizer.fit, WordTokenizer.fit])
def test_the_phrasebook_is_split_by_source_into_all_its_pairs(tmp_path, tokenizer):
    data = Anki(tokenizer, paths.phrasebook(), cache=tmp_path)
    data.prepare_data()
    data.setup("fit")
    sources = {
        split: {data.source_text(split, row) for row in range(len(data.examples[split]))} for split in data.splits
    }
    assert {split: len(own) for split, own in sources.items()} == {"train": 240, "val": 30, "test": 30}
    assert len(set.union(*sources.values())) == 300
    assert sum(len(data.examples[split]) for split in data.splits) == 420
