"""A dataset's leakage is measured once, whatever the dataset."""

import functools

import pytest

from seqlab.data.anki import Anki
from seqlab.data.documents import Documents
from seqlab.data.module import SequenceData
from seqlab.data.parallel import Parallel
from seqlab.data.reversal import Reversal
from seqlab.data.toy import IntegerPairs
from seqlab.dataset_analysis import overlap as module
from seqlab.dataset_analysis.overlap import leakage_of
from seqlab.text.tokenizers import WordTokenizer


def loaded(data: SequenceData) -> SequenceData:
    data.prepare_data()
    data.setup("fit")
    return data


def shares(data):
    return {split: {name: side.copies for name, side in one.sides.items()} for split, one in leakage_of(data).items()}


def test_a_pair_to_learn_by_heart_stands_in_training(tmp_path):
    data = loaded(IntegerPairs([("1 2 3", "3 2 1")], cache=tmp_path))
    whole = {"sources": 1, "targets": 1, "pairs": 1}
    assert shares(data) == {"val": whole, "test": whole}


def test_no_reversal_stands_in_training(tmp_path):
    data = loaded(Reversal(samples=500, max_length=4, cache=tmp_path))
    assert shares(data) == {"val": {"sequences": 0}, "test": {"sequences": 0}}


@pytest.mark.parametrize("planted", [0, 0.1, 0.5])
def test_the_planted_share_of_notes_is_found_again(tmp_path, planted):
    text = " ".join(f"Sentence {i} is unlike number {i * i}." for i in range(1000))
    (tmp_path / "notes.txt").write_text(text, encoding="utf-8")
    data = loaded(Documents(WordTokenizer.fit, tmp_path / "notes.txt", planted=planted, cache=tmp_path / "cache"))
    found = leakage_of(data)["val"].sides["sentences"]
    assert found.copies == pytest.approx(planted, abs=1 / found.sentences)


def test_sources_are_dealt_out_whole_and_their_translations_are_not(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("".join(f"Say {i}.\tDis {i % 7}.\nSay {i}!\tDis {i} !\n" for i in range(100)), encoding="utf-8")
    data = loaded(Anki(WordTokenizer.fit, path, test_share=0.0, cache=tmp_path / "cache"))
    (found,) = shares(data).values()
    assert (found["sources"], found["pairs"]) == (0, 0)
    assert 0.2 < found["targets"] < 0.8
    last = loaded(Anki(WordTokenizer.fit, path, split="published", cache=tmp_path / "cache"))
    assert shares(last) == {"val": {"sources": 0, "targets": 0.5, "pairs": 0}}


def test_it_is_measured_once(tmp_path, monkeypatch):
    def data(**settings):
        return loaded(Reversal(samples=60, cache=tmp_path, **settings))

    first = leakage_of(data())
    monkeypatch.setattr(module, "leakage", lambda *_: pytest.fail("measured again"))
    assert leakage_of(data()) == first
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        leakage_of(data(seed=1))


def test_nothing_is_held_out(tmp_path):
    assert leakage_of(loaded(Reversal(samples=10, split=(1, 0, 0), cache=tmp_path))) == {}
    assert not list(tmp_path.iterdir())


def test_real_text_gives_what_brute_force_gives(real_data, tmp_path):
    fit = functools.partial(WordTokenizer.fit, lower=True)
    data = loaded(Parallel(fit, real_data / "multi30k", max_pairs=3_000, test=None, cache=tmp_path))

    def fives(split):
        sources = (data.examples[split].source[row].tolist() for row in range(len(data.examples[split])))
        return [tuple(ids[at : at + 5]) for ids in sources for at in range(len(ids) - 4)]

    known, held_out = set(fives("train")), fives("val")
    found = leakage_of(data)["val"].sides["sources"]
    assert found.ngrams["5"] == sum(one in known for one in held_out) / len(held_out) > 0.01
