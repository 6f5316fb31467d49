"""A dataset is identified by its content: equal content gives equal hashes, whatever the files are called."""

import functools

import pytest

from seqlab.data.anki import Anki
from seqlab.data.documents import Documents
from seqlab.data.parallel import Parallel
from seqlab.data.reversal import Reversal
from seqlab.text.tokenizers import CharacterTokenizer, WordTokenizer

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
PAIRS = [(f"{a} {b}", f"{b} {a}") for a in WORDS for b in WORDS[:3]]


def deck(path, pairs=PAIRS):
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path


def identity(data):
    data.prepare_data()
    data.setup("fit")
    return data.identity()


@pytest.fixture
def anki(tmp_path):
    return lambda path, fit=WordTokenizer.fit, **settings: identity(Anki(fit, path, cache=tmp_path / "c", **settings))


def test_a_deck_is_identified_by_its_content(anki, tmp_path):
    whole = anki(deck(tmp_path / "a.txt"))
    assert anki(deck(tmp_path / "b.txt")) == whole
    edited = anki(deck(tmp_path / "a.txt", [*PAIRS[:-1], (PAIRS[-1][0], "ten")]))
    assert edited["files"] != whole["files"]
    assert edited["splits"] != whole["splits"]


def test_settings_that_choose_other_examples_or_ids_give_another_identity(anki, tmp_path):
    file = deck(tmp_path / "a.txt")
    whole, dealt = anki(file), anki(file, seed=5)
    assert dealt["splits"] != whole["splits"]
    assert anki(file, CharacterTokenizer.fit)["vocabularies"] != whole["vocabularies"]
    assert anki(file, batch_size=3, order_seed=2) == whole  # the same examples in other batches


def test_every_file_of_a_parallel_corpus_counts(tmp_path):
    def corpus(**changed):
        lines = {f"{split}.{side}": "one two\n" * 3 for split in ("train", "val", "test") for side in ("de", "en")}
        for name, text in {**lines, **{name.replace("_", "."): text for name, text in changed.items()}}.items():
            (tmp_path / name).write_text(text)
        return identity(Parallel(WordTokenizer.fit, tmp_path, cache=tmp_path / "c"))["files"]

    assert len({corpus(), corpus(test_en="one\n" * 3), corpus(train_de="two\n" * 3)}) == 3


def test_running_text_is_identified_by_its_documents_and_its_stream(tmp_path):
    fit = CharacterTokenizer.fit
    tail = functools.partial(Documents, fit, split="tail", boundaries="none", length=7, cache=tmp_path / "c")
    for name, text in (("a.txt", "one two three. " * 9), ("b.txt", "one two three. " * 9), ("c.txt", "one two. " * 9)):
        (tmp_path / name).write_text(text)
    a, b, c = (identity(tail(path=tmp_path / name)) for name in ("a.txt", "b.txt", "c.txt"))
    assert a == b
    assert a["files"] != c["files"]
    assert a["splits"]["train"] != c["splits"]["train"]
    shorter = identity(tail(path=tmp_path / "a.txt", fraction=0.5))
    assert shorter["splits"]["train"] != a["splits"]["train"]
    assert shorter["splits"]["val"] == a["splits"]["val"]


def test_drawn_examples_have_no_files(tmp_path):
    one, other = (identity(Reversal(samples=40, max_length=5, seed=seed)) for seed in (1, 2))
    assert one["files"] is other["files"] is None
    assert one["splits"] != other["splits"]
    assert one == identity(Reversal(samples=40, max_length=5, seed=1))
