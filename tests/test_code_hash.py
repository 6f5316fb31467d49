"""A hash of seqlab's own source."""

import importlib
import sys

import pytest

from seqlab import code_hash, paths
from seqlab.code_hash import own_source, source_hash
from seqlab.data.generated import GeneratedPairs
from seqlab.data.numbers import Numbers
from seqlab.text.tokenizers import CharacterTokenizer, WordTokenizer, fit_settings

OWN = """
from seqlab.data.generated import GeneratedPairs
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import CharacterTokenizer

class Doubles(GeneratedPairs):
    def describe(self):
        return "doubles"

    def pair(self, item, form):
        return Pair(str(item), str(item * 2))

class Letters(CharacterTokenizer):
    pass

def fit(texts):
    return CharacterTokenizer.fit(texts)
"""


def test_it_follows_names_and_contents_of_the_rooms_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PACKAGE", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/one.py").write_text("x = 1\n")
    (tmp_path / "errors.py").write_text("y = 1\n")
    every, data = source_hash(lambda room: True), source_hash(lambda room: room == "data")
    assert every != data

    (tmp_path / "errors.py").write_text("y = 2\n")
    assert source_hash(lambda room: room == "data") == data
    assert source_hash(lambda room: True) != every

    (tmp_path / "data/one.py").rename(tmp_path / "data/two.py")
    assert source_hash(lambda room: room == "data") != data


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Imports a user's module of the given source, as a new process does."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def imported(source):
        (tmp_path / "users_own.py").write_text(source)
        monkeypatch.delitem(sys.modules, "users_own", raising=False)
        importlib.invalidate_caches()
        code_hash._file_hash.cache_clear()
        return importlib.import_module("users_own")

    return imported


def test_what_is_seqlabs_has_no_code_of_its_own():
    for made in (GeneratedPairs, Numbers, CharacterTokenizer, WordTokenizer):
        assert own_source(made) == []


def test_a_users_classes_and_functions_have_the_code_of_their_file_and_of_their_bases(own):
    module = own(OWN)
    (code,) = own_source(module.Letters)
    assert own_source(module.Doubles) == own_source(module.fit) == [code]

    class Derived(module.Letters):
        pass

    assert len(own_source(Derived)) == 2
    assert own_source(own(f"{OWN}# changed\n").Letters) != [code]


def test_a_tokenizer_of_ones_own_is_identified_by_its_code(own):
    def identified(source):
        module = own(source)
        return fit_settings(module.fit), fit_settings(module.Letters.fit)

    before, after = identified(OWN), identified(OWN.replace("pass", "lower = True"))
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert identified(OWN) == before


def test_a_dataset_of_ones_own_that_was_changed_is_computed_anew(own, tmp_path):
    def target(source):
        data = own(source).Doubles(CharacterTokenizer.fit, range(9), 1, samples=9, cache=tmp_path / "cache")
        data.setup("fit")
        pair = data.training_pairs()[0]
        return int(pair.target) / int(pair.source)

    source = OWN.replace("str(item)", "str(item + 1)").replace("item * 2", "(item + 1) * 2")
    assert target(source) == 2
    assert target(source.replace("* 2", "* 3")) == 3
