"""Kinds: which classes a file may name, and that nothing else is imported."""

import importlib
import sys
from pathlib import Path

import pytest

from seqlab.decoding import Greedy, Search
from seqlab.errors import InputError
from seqlab.kinds import EVERYTHING, MODELS, NOTHING, SEARCHES, TOKENIZERS, Trust, trust_typed
from seqlab.models.base import Seq2Seq
from seqlab.text.tokenizers import Tokenizer


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A module on the path that makes a file when it is imported: its name, and the file."""
    path = tmp_path / "imported"
    (tmp_path / "canary_lab.py").write_text(
        f"open({str(path)!r}, 'w').close()\nfrom seqlab.decoding import Greedy\nclass Own(Greedy): pass\nother = len\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield path
    sys.modules.pop("canary_lab", None)


@pytest.mark.parametrize(("kinds", "base"), [(MODELS, Seq2Seq), (TOKENIZERS, Tokenizer), (SEARCHES, Search)])
def test_every_kind_has_its_class_and_every_class_its_kind(kinds, base):
    for kind in kinds.classes:
        assert kinds.of(kinds.find(kind, base, NOTHING)) == kind
    rooms = {place.partition(":")[0].rpartition(".")[0] for place in kinds.classes.values()}
    for room in rooms:
        folder = importlib.import_module(room).__path__[0]
        for path in Path(folder).glob("[a-z]*.py"):
            importlib.import_module(f"{room}.{path.stem}")
    known = {cls for cls in _below(base) if cls.__module__.rpartition(".")[0] in rooms}
    named = {cls for cls in known if kinds.of(cls) in kinds.classes}
    assert {cls.__name__ for cls in known - named} <= {
        "_Vocabulary",
        "_Dropping",
        "Stepwise",
        "TrainingModule",
    }  # none is ever kept


def _below(base):
    for cls in base.__subclasses__():
        yield cls
        yield from _below(cls)


@pytest.mark.parametrize(
    "kind",
    [
        *("canary_lab:Own", "canary_lab:other", "canary_lab.Own", "canary_lab:", ":Own", "canary_lab:a b", "os:system"),
        *("greedy ", "__import__('canary_lab'):x", "seqlab.decoding:Greedy", None, 3, [], {"a": 1}),
    ],
)
def test_what_is_not_known_or_trusted_is_not_imported(canary, kind):
    before = set(sys.modules)
    with pytest.raises(InputError) as error:
        SEARCHES.find(kind, Search, NOTHING)
    assert not canary.exists() and set(sys.modules) == before
    assert len(str(error.value)) < 400


def test_a_trusted_package_is_imported_and_must_hold_the_class(canary):
    assert SEARCHES.find("canary_lab:Own", Search, Trust.of("canary_lab")).__mro__[1] is Greedy
    assert canary.exists()
    with pytest.raises(InputError, match="is no Search"):
        SEARCHES.find("canary_lab:other", Search, EVERYTHING)
    for place in ("canary_lab:Missing", "canary_lab.inner:Own", "nowhere_lab:Own"):
        with pytest.raises(InputError, match="cannot be imported"):
            SEARCHES.find(place, Search, EVERYTHING)


def test_a_package_that_fails_to_import_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "failing_lab.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"cannot be imported here \(division by zero\)"):
        SEARCHES.find("failing_lab:Own", Search, EVERYTHING)


def test_a_package_inside_the_bundle_is_refused_though_trusted(canary, tmp_path):
    with pytest.raises(InputError, match="come with the bundle"):
        SEARCHES.find("canary_lab:Own", Search, Trust.of("canary_lab"), within=tmp_path)
    assert not canary.exists()
    assert SEARCHES.find("canary_lab:Own", Search, Trust.of("canary_lab"), within=tmp_path / "bundle")


def test_trust_comes_from_the_caller_and_the_environment(monkeypatch):
    monkeypatch.setenv("SEQLAB_TRUST", "one, two")
    assert Trust.of(["three"]).packages == {"one", "two", "three"}
    assert Trust.of("three,four").packages == {"one", "two", "three", "four"}
    monkeypatch.delenv("SEQLAB_TRUST")
    assert Trust.of(None) == Trust.of("") == Trust.of([]) == NOTHING
    for wrong in (["my lab"], ["my_lab.models"], [3], 3, "a.b", ["*"]):
        with pytest.raises(InputError, match="trust must be a list of packages"):
            Trust.of(wrong)


def test_what_is_to_be_typed_names_each_package_once():
    assert trust_typed(["bahdanau", "word"]) == ""
    assert trust_typed(["my_lab.models:Own", "my_lab:Tokens", "other:Search"]) == " trust=[my_lab,other]"
